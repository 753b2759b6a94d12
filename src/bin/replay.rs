//! Repeats a recorded run of the manager and tells it, step by step.
//!
//! ```text
//! cargo run --no-default-features --bin replay -- LOG [--until N] [--peer ID] [--digest]
//! ```
//!
//! LOG is a file with what `record()` gave in a page, or `Node::record` natively.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use libp2p_identity::PeerId;
use lightkeeper::manager::record::{Input, Log, Turn};
use lightkeeper::manager::{Command, GateQuery, Manager, What};

const USAGE: &str = "\
usage: replay LOG [--until N] [--peer ID] [--digest]

  --until N   stop after step N
  --peer ID   tell only the steps that name this peer, and explain it at the end
  --digest    tell nothing but the SHA-256 of all verdicts and orders

Each step is one input with its time since the manager was made. Under it: ! what was decided, > what was ordered.
";

/// What the user asks for.
struct Options {
    path: String,
    until: usize,
    peer: Option<PeerId>,
    digest: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut path, mut until, mut peer, mut digest) = (None, usize::MAX, None, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--until" => until = value()?.parse().map_err(|_| "--until needs a number")?,
                "--peer" => {
                    peer = Some(value()?.parse().map_err(|_| "--peer needs a peer id")?);
                }
                "--digest" => digest = true,
                _ if argument.starts_with('-') || path.is_some() => {
                    return Err(format!("unexpected {argument}"));
                }
                _ => path = Some(argument),
            }
        }
        Ok(Self {
            path: path.ok_or("no log given")?,
            until,
            peer,
            digest,
        })
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprint!("replay: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let told = std::fs::read(&options.path)
        .map_err(|error| error.to_string())
        .and_then(|bytes| Log::decode(&bytes).map_err(|error| error.to_string()))
        .and_then(|log| match tell(&log, &options) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| error.to_string()),
        });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {}: {error}", options.path);
            ExitCode::FAILURE
        }
    }
}

fn tell(log: &Log, options: &Options) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if options.digest {
        let digest = log.digest();
        return writeln!(out, "{}", data_encoding::HEXLOWER.encode(&digest));
    }
    let ours = env!("CARGO_PKG_VERSION");
    writeln!(
        out,
        "log of lightkeeper {}, {} steps",
        log.version,
        log.steps.len()
    )?;
    if log.version != ours {
        writeln!(out, "this is lightkeeper {ours}: it may decide otherwise")?;
    }
    if !log.complete {
        writeln!(
            out,
            "the log was full: what came after its last step is missing"
        )?;
    }
    let mut replay = log.replay();
    for number in 1..=options.until {
        let Some(turn) = replay.next() else { break };
        let since = turn.at.mono_ms.saturating_sub(log.start.mono_ms);
        let text = step(number, since, &turn);
        if options
            .peer
            .is_none_or(|peer| text.contains(&peer.to_string()))
        {
            out.write_all(text.as_bytes())?;
        }
    }
    out.write_all(end(replay.manager(), options.peer).as_bytes())
}

fn step(number: usize, since: u64, turn: &Turn<'_>) -> String {
    let (seconds, ms) = (since / 1_000, since % 1_000);
    let mut text = format!("#{number} +{seconds}.{ms:03} s  ");
    match turn.input {
        Input::Event(event) => text += &shown(event),
        Input::Query(query) => {
            let (way, peer) = match query {
                GateQuery::Outbound { peer } => ("dial", peer),
                GateQuery::Inbound { peer } => ("connection of", peer),
            };
            let peer = peer.map_or("somebody".to_owned(), |peer| peer.to_string());
            text += &format!("may others have a {way} {peer}?");
        }
        Input::Restore(bytes) => text += &format!("take back what {} bytes say", bytes.len()),
    }
    text.push('\n');
    if let Some(verdict) = turn.verdict {
        let answer = match verdict {
            Ok(()) => "yes".to_owned(),
            Err(reason) => format!("no: {reason}"),
        };
        text += &format!("    {answer}\n");
    }
    for decision in &turn.decisions {
        text += &format!("    ! {}\n", decided(&decision.what));
    }
    for command in &turn.commands {
        text += &format!("    > {}\n", ordered(command));
    }
    text
}

/// A value's own form, with ids as users write them.
fn shown(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.replace("PeerId(\"", "").replace("\")", "")
}

fn decided(what: &What) -> String {
    match what {
        // A pin or a bootstrap peer: there was no choice.
        What::Dialed {
            peer,
            why,
            compared: 1,
            value: 0,
        } => format!("dialed {peer} ({})", why.as_str()),
        What::Dialed {
            peer,
            why,
            compared,
            value,
        } => {
            let hundredths = u64::from(*value) * 100 / 256;
            format!(
                "dialed {peer} ({}), the best of {compared}, worth {}.{:02} of a provider",
                why.as_str(),
                hundredths / 100,
                hundredths % 100
            )
        }
        What::Closed { peer, reason } => format!("closed {peer}: {reason}"),
        What::Denied { peer, reason } => match peer {
            Some(peer) => format!("denied {peer}: {reason}"),
            None => format!("denied: {reason}"),
        },
        What::Failed {
            peer,
            requirement,
            outcome,
            charged,
        } => {
            let charged = if *charged { "" } else { " (not charged)" };
            format!(
                "{peer} failed at requirement {}: {outcome}{charged}",
                requirement.0
            )
        }
        What::Banned { peer, reason } => format!("banned {peer}: {reason}"),
        other => shown(other),
    }
}

fn ordered(command: &Command) -> String {
    match command {
        Command::Notify(notice) => format!("tell {}", shown(notice)),
        command => shown(command),
    }
}

fn end(manager: &Manager, peer: Option<PeerId>) -> String {
    let (health, reason) = manager.health();
    let mut text = format!("\nhealth: {health:?} ({reason})\n");
    for view in manager.requirements() {
        let peers: Vec<String> = view.peers.iter().map(PeerId::to_string).collect();
        let _ = writeln!(
            text,
            "requirement {}: {} of {} ({:?}) {}",
            view.id.0,
            view.have,
            view.target,
            view.health,
            peers.join(" ")
        );
    }
    let _ = writeln!(text, "{:?}", manager.stats());
    if let Some(peer) = peer {
        let _ = match manager.explain(&peer) {
            Some(explanation) => writeln!(text, "{explanation:#?}"),
            None => writeln!(text, "{peer} is not known"),
        };
    }
    text
}
