//! Numbers as people read them and as `tests/bench/run.mjs` does: one JSON object a line.

/// Prints a number. What was not reached in some run is none, and counts as not measured.
pub(crate) fn say(name: &str, value: f64, unit: &str) {
    if value.is_finite() {
        println!("{{\"name\":\"{name}\",\"value\":{value:.3},\"unit\":\"{unit}\"}}");
    } else {
        println!("{name}: not reached in some run");
    }
}

/// How long something took in each run. `None`: it never came.
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn of(all: impl IntoIterator<Item = Option<u64>>) -> Self {
        let mut all: Vec<u64> = all.into_iter().map(|ms| ms.unwrap_or(u64::MAX)).collect();
        all.sort_unstable();
        Self(all)
    }

    /// What so many percent do not exceed; infinite when that never came.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        match self.0.get(place) {
            Some(&u64::MAX) | None => f64::INFINITY,
            Some(ms) => *ms as f64,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
