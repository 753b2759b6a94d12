//! The local network as a program. See `lightkeeper::fleet`.

use std::{io::Write, process::ExitCode};

use lightkeeper::fleet::{CommandLine, Fleet, USAGE};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    // Silent unless RUST_LOG asks: what nodes see is told at /api/events.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let (options, until_stdin_closes) = match CommandLine::parse(std::env::args().skip(1)) {
        Ok(CommandLine::Run {
            options,
            until_stdin_closes,
        }) => (options, until_stdin_closes),
        Ok(CommandLine::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("fleet: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let fleet = match Fleet::start(options).await {
        Ok(fleet) => fleet,
        Err(error) => {
            eprintln!("fleet: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Whoever started this may have gone already; then the closed standard input, or a signal, ends it.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "ready http://{}/", fleet.http_addr()).and_then(|()| stdout.flush());
    let stdin_closed = async {
        if until_stdin_closes {
            end_of_stdin().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = signalled() => {}
        () = stdin_closed => {}
    }
    fleet.shutdown().await;
    ExitCode::SUCCESS
}

/// Waits for the end of standard input. What is written to it does not matter.
///
/// Reading it cannot be cancelled, so a thread does, which the end of the program ends.
async fn end_of_stdin() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
}

/// Waits for Ctrl-C or, where there is such a thing, for SIGTERM.
async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
