//! Which resolver to ask.

/// The health of the resolvers. A suspended one is passed over as long as another is left, never shut out: with one
/// resolver alone there is no choice.
#[derive(Debug)]
pub(super) struct Resolvers {
    all: Vec<Resolver>,
    first_backoff_ms: u64,
    max_backoff_ms: u64,
}

#[derive(Debug, Default, Clone)]
struct Resolver {
    suspended_until: u64,
    /// 0 when it is healthy.
    backoff_ms: u64,
}

impl Resolvers {
    pub(super) fn new(count: usize, first_backoff_ms: u64, max_backoff_ms: u64) -> Self {
        Self {
            all: vec![Resolver::default(); count.max(1)],
            first_backoff_ms,
            max_backoff_ms,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The resolver to ask next, other than those in `tried`: the first healthy one, else the one whose suspension ends
    /// first.
    pub(super) fn pick(&self, now: u64, tried: &[usize]) -> Option<usize> {
        self.all
            .iter()
            .enumerate()
            .filter(|(place, _)| !tried.contains(place))
            .min_by_key(|(place, resolver)| {
                let until = resolver.suspended_until;
                (if until > now { until } else { 0 }, *place)
            })
            .map(|(place, _)| place)
    }

    /// Suspends a resolver; `false` when it is suspended already, so that many look-ups that fail together count once.
    pub(super) fn suspend(&mut self, now: u64, place: usize) -> bool {
        let resolver = &mut self.all[place];
        if resolver.suspended_until > now {
            return false;
        }
        resolver.backoff_ms = (resolver.backoff_ms * 2).clamp(
            self.first_backoff_ms,
            self.max_backoff_ms.max(self.first_backoff_ms),
        );
        resolver.suspended_until = now + resolver.backoff_ms;
        true
    }

    /// An answer of use. During a suspension it proves nothing: it may have been under way before.
    pub(super) fn answered(&mut self, now: u64, place: usize) {
        let resolver = &mut self.all[place];
        if resolver.suspended_until <= now {
            resolver.backoff_ms = 0;
        }
    }

    pub(super) fn forgive(&mut self) {
        self.all.fill(Resolver::default());
    }
}
