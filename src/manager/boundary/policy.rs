//! The numbers of [`Config`] by their places in one list, as the npm API's `policy` option passes them.

use crate::manager::boundary::config::Config;

/// The greatest number that is taken, about 139 years in milliseconds: sums of deadlines stay far from overflowing.
const GREATEST: u64 = 1 << 42;

/// Numbers that may be zero, which switches them off. With a zero anywhere else there would be no manager at all.
const MAY_BE_ZERO: [usize; 6] = [
    Field::dial_overdraft as usize,
    Field::explore_one_in as usize,
    Field::triggers_off as usize,
    Field::lean_after_ms as usize,
    Field::spare_connections as usize,
    Field::clock_look_ms as usize,
];

macro_rules! numbers {
    ($($field:ident),+ $(,)?) => {
        #[expect(non_camel_case_types, reason = "the fields' own names")]
        enum Field { $($field),+ }

        impl Config {
            /// The fields that are numbers, in their order. The npm API spells them in camelCase.
            pub const NUMBERS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// The same names in one text, for the mark of a log.
            pub(in crate::manager) const NUMBER_NAMES: &'static str = stringify!($($field)+);

            /// The number at a place of [`Self::NUMBERS`].
            pub fn number(&self, place: usize) -> Option<u64> {
                Some(match place {
                    $(at if at == Field::$field as usize => widen(self.$field),)+
                    _ => return None,
                })
            }

            /// Changes the number at a place of [`Self::NUMBERS`]. False, and nothing changes, when there is no such
            /// place, or when the number does not fit it: it is at least 1 (but for those that zero switches off) and
            /// at most what the field's type holds, or 2⁴².
            pub fn set_number(&mut self, place: usize, value: u64) -> bool {
                if value > GREATEST || (value == 0 && !MAY_BE_ZERO.contains(&place)) {
                    return false;
                }
                self.put_number(place, value)
            }

            /// The same without the bounds: a log holds what once was.
            pub(in crate::manager) fn put_number(&mut self, place: usize, value: u64) -> bool {
                match place {
                    $(at if at == Field::$field as usize => narrow(&mut self.$field, value),)+
                    _ => false,
                }
            }
        }
    };
}

fn widen<T: TryInto<u64>>(value: T) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

fn narrow<T: TryFrom<u64>>(field: &mut T, value: u64) -> bool {
    let Ok(value) = value.try_into() else {
        return false;
    };
    *field = value;
    true
}

numbers! {
    soft_connections,
    hard_connections,
    max_peers,
    max_routes,
    max_introduced,
    max_per_netgroup,
    small_network,
    dial_timeout_ms,
    routes_per_dial,
    dial_job_ms,
    dials_in_flight,
    dial_tokens,
    dial_tokens_per_s,
    dial_overdraft,
    unknown_in_flight,
    watchdog_ms,
    explore_one_in,
    groups_compared,
    unverified_counted,
    backoff_good_ms,
    backoff_pinned_ms,
    backoff_unknown_ms,
    backoff_good_cap_ms,
    backoff_pinned_cap_ms,
    backoff_unknown_cap_ms,
    healthy_ms,
    mass_loss_window_ms,
    mass_loss_spread_ms,
    mass_loss_spread_other_ms,
    recover_spread_ms,
    recover_peers,
    suspect_failures,
    suspect_silence_ms,
    charges_kept,
    probe_min_ms,
    probe_max_ms,
    probe_eager_ms,
    probe_later_min_ms,
    probe_later_max_ms,
    probe_cap_ms,
    refused_wait_ms,
    other_network_ms,
    prune_wait_ms,
    broken_window_ms,
    broken_rest_ms,
    broken_rest_cap_ms,
    busy_min_ms,
    busy_max_ms,
    busy_cap_ms,
    unable_ms,
    fault_rest_ms,
    absent_ms,
    fault_step,
    behaviour_disconnect,
    behaviour_ban,
    faults_to_ban,
    fault_memory_ms,
    ban_ms,
    ban_cap_ms,
    ban_memory_ms,
    max_bans,
    max_user_bans,
    subnet_bans,
    subnet_window_ms,
    subnet_hold_ms,
    verify_ms,
    unverified_ms,
    identify_ms,
    rejected_ms,
    duplicate_grace_ms,
    close_ms,
    ping_idle_ms,
    ping_unused_ms,
    ping_timeout_ms,
    ping_timeout_min_ms,
    ping_resume_timeout_ms,
    ping_failures,
    resume_late_ms,
    resume_hidden_late_ms,
    resume_look_late_ms,
    resume_drift_ms,
    clock_look_ms,
    head_start_ms,
    head_start_dials,
    bootstrap_hedge_ms,
    cold_start_ms,
    cold_start_dials,
    hand_off_after_ms,
    hand_off_min_ms,
    hand_off_max_ms,
    hand_off_retry_ms,
    exchange_count,
    exchange_every_ms,
    exchange_patience_ms,
    exchange_timeout_ms,
    discover_every_ms,
    discover_cap_ms,
    discover_timeout_ms,
    surplus_grace_ms,
    useless_grace_ms,
    offer_every_ms,
    lock_max_ms,
    lock_grace_ms,
    burst_max_ms,
    burst_idle_ms,
    burst_memory_ms,
    breach_ms,
    grace_connect_ms,
    grace_identify_ms,
    drain_ms,
    prune_cap_ms,
    round_every_ms,
    round_timer_ms,
    over_soft_ms,
    scores_ms,
    triggers_off,
    lean_after_ms,
    spare_connections,
    swap_every_ms,
    swap_cap_ms,
}

#[cfg(test)]
mod tests {
    use libp2p_identity::PeerId;

    use super::*;

    fn config() -> Config {
        Config::light_node(PeerId::from_bytes(&[0, 0]).unwrap(), Vec::new(), "", false)
    }

    #[test]
    fn every_number_of_the_configuration_has_its_place_in_the_order_of_the_fields() {
        let source = include_str!("config.rs");
        let (_, fields) = source.split_once("pub struct Config {").unwrap();
        let (fields, _) = fields.split_once("\n}").unwrap();
        let numbers: Vec<_> = fields
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
            .filter(|(_, kind)| ["u8,", "u16,", "u32,", "u64,", "usize,"].contains(kind))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(Config::NUMBERS, numbers);
    }

    #[test]
    fn every_default_fits_its_place() {
        let mut config = config();
        for (place, name) in Config::NUMBERS.iter().enumerate() {
            let value = config.number(place).unwrap();
            assert!(config.set_number(place, value), "{name}: {value}");
        }
    }

    #[test]
    fn a_number_changes_its_own_field() {
        let mut config = config();
        let at = |name| Config::NUMBERS.iter().position(|n| *n == name).unwrap();
        assert!(config.set_number(at("dials_in_flight"), 3));
        assert!(config.set_number(at("dial_overdraft"), 0));
        assert_eq!((config.dials_in_flight, config.dial_overdraft), (3, 0));
        assert_eq!(config.number(at("dials_in_flight")), Some(3));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut config = config();
        let at = |name| Config::NUMBERS.iter().position(|n| *n == name).unwrap();
        assert!(!config.set_number(at("ping_failures"), 256));
        assert!(!config.set_number(at("ping_failures"), 0));
        assert!(!config.set_number(at("ban_ms"), GREATEST + 1));
        assert!(!config.set_number(Config::NUMBERS.len(), 1));
        assert_eq!(config.ping_failures, 2);
        assert_eq!(config.number(Config::NUMBERS.len()), None);
    }
}
