//! The same recorded inputs give the same orders, byte for byte: twice in a process, natively and in a browser (D1).
//!
//! ```text
//! cargo test --no-default-features --test determinism
//! wasm-pack test --headless --chrome -- --no-default-features --test determinism
//! ```

mod logs;

use lightkeeper::manager::Log;
use logs::{DIGESTS, LOGS, hex};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{wasm_bindgen_test as test, wasm_bindgen_test_configure};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test_configure!(run_in_browser);

fn log(bytes: &[u8]) -> Log {
    Log::decode(bytes)
        .expect("a log of this build: tests/simulation/logs/mod.rs tells how to write them anew")
}

#[test]
fn every_recorded_run_gives_the_orders_that_it_gave_elsewhere() {
    let computed: Vec<String> = LOGS
        .iter()
        .map(|(name, bytes)| format!("{name} {}", hex(log(bytes).digest())))
        .collect();
    let expected: Vec<&str> = DIGESTS.lines().collect();
    assert_eq!(computed, expected);
}

#[test]
fn a_recorded_run_gives_the_same_orders_twice_in_one_process() {
    for (name, bytes) in LOGS {
        let log = log(bytes);
        let orders = || -> Vec<_> { log.replay().map(|turn| turn.commands).collect() };
        assert_eq!(orders(), orders(), "{name}");
        assert_eq!(log.digest(), log.digest(), "{name}");
    }
}

#[test]
fn the_recorded_runs_are_not_empty_of_orders() {
    for (name, bytes) in LOGS {
        let orders: usize = log(bytes).replay().map(|turn| turn.commands.len()).sum();
        assert!(orders > 50, "{name} gives {orders}");
    }
}

/// The command that a report of a failure is repeated with.
#[cfg(not(target_arch = "wasm32"))]
mod command {
    use std::process::{Command, Output};

    use super::{DIGESTS, LOGS, log};

    fn replay(arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
        command.args(arguments).output().expect("it runs")
    }

    fn path(name: &str) -> String {
        let root = env!("CARGO_MANIFEST_DIR");
        format!("{root}/tests/simulation/logs/{name}.bin")
    }

    fn text(output: Output) -> String {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn the_command_prints_the_digest_of_a_log() {
        for ((name, _), line) in LOGS.iter().zip(DIGESTS.lines()) {
            let digest = text(replay(&[&path(name), "--digest"]));
            assert_eq!(format!("{name} {digest}"), format!("{line}\n"));
        }
    }

    #[test]
    fn the_command_tells_every_step_decision_and_order() {
        let (name, bytes) = LOGS[0];
        let told = text(replay(&[&path(name)]));
        let count = |mark: &str| told.lines().filter(|line| line.starts_with(mark)).count();
        let log = log(bytes);
        assert_eq!(count("#"), log.steps.len());
        let orders: usize = log.replay().map(|turn| turn.commands.len()).sum();
        assert_eq!(count("    > "), orders);
        let decisions: usize = log.replay().map(|turn| turn.decisions.len()).sum();
        assert!(decisions > 0);
        assert_eq!(count("    ! "), decisions);
    }

    #[test]
    fn the_command_can_be_kept_to_one_peer_and_to_the_first_steps() {
        let (name, bytes) = LOGS[0];
        let log = log(bytes);
        let mut run = log.replay();
        run.by_ref().for_each(drop);
        let peer = run.manager().peers()[0].peer.to_string();
        let told = text(replay(&[&path(name), "--until", "40", "--peer", &peer]));
        let steps = told.lines().filter(|line| line.starts_with('#')).count();
        assert!((1..40).contains(&steps), "{steps} steps");
        assert!(told.contains("not_dialed"), "the peer is explained");
    }

    #[test]
    fn a_file_that_is_no_log_is_refused() {
        let output = replay(&[&format!("{}/Cargo.toml", env!("CARGO_MANIFEST_DIR"))]);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).expect("text");
        assert!(error.contains("not a log"), "{error}");
        assert_eq!(replay(&[]).status.code(), Some(2));
    }
}
