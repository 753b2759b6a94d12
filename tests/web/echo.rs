//! The servers that the browser's transport tests talk to: one well-behaved, the others each with one fault.
//!
//! `cargo run --example echo --features fleet -- [--port 8790] [--until-stdin-closes]` listens on 127.0.0.1, on six ports
//! in a row, and prints `ready ws://127.0.0.1:PORT/` when all of them listen:
//!
//! | port | what it does |
//! |---|---|
//! | +0 | sends every message back; at the path `/status` answers each message with the numbers of its own open connections, of those on port +1, and of the answers at `/endless` that were taken whole and that were not, four big-endian `u32`; at `/mute` reads everything and never answers, a close neither; at `/goodbye` answers the first message with a message of yamux's, its goodbye and a close; a plain GET of `/endless` answers 64 MiB without saying so beforehand |
//! | +1 | accepts connections and says nothing: no socket ever opens |
//! | +2 | closes as soon as the socket is open, with the code that the path names (1000 if it names none) |
//! | +3 | reads nothing; the next connection makes it drop both without a goodbye |
//! | +4 | sends without end |
//! | +5 | reads slowly, and answers each message with the number of bytes read so far, a big-endian `u64`; at the path `/silent` it does not answer |
//! | +6 | nothing listens here |

use std::{
    error::Error,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

type Failure = Box<dyn Error + Send + Sync>;

const DEFAULT_PORT: u16 = 8790;
const BEHAVIOURS: [Behaviour; 6] = [
    Behaviour::Echo,
    Behaviour::Stall,
    Behaviour::Close,
    Behaviour::Abrupt,
    Behaviour::Flood,
    Behaviour::Slow,
];

#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Echo,
    Stall,
    Close,
    Abrupt,
    Flood,
    Slow,
}

#[derive(Debug, Default)]
struct State {
    echoing: AtomicU32,
    stalled: AtomicU32,
    /// Answers at `/endless`, by how they ended.
    whole: AtomicU32,
    cut: AtomicU32,
    /// Ends the connection that the abrupt port holds.
    held: Mutex<Option<oneshot::Sender<()>>>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut port = DEFAULT_PORT;
    let mut until_stdin_closes = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => port = arguments.next().ok_or("--port needs a number")?.parse()?,
            "--until-stdin-closes" => until_stdin_closes = true,
            other => return Err(format!("unknown argument: {other}").into()),
        }
    }

    let state = Arc::new(State::default());
    for (listen_on, behaviour) in (port..).zip(BEHAVIOURS) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen_on)).await?;
        tokio::spawn(accept(listener, behaviour, state.clone()));
    }
    println!("ready ws://127.0.0.1:{port}/");

    if until_stdin_closes {
        tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    } else {
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

async fn accept(listener: TcpListener, behaviour: Behaviour, state: Arc<State>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let state = state.clone();
        // However a connection ends, the next one is served.
        tokio::spawn(async move {
            match behaviour {
                Behaviour::Echo => echo(stream, &state).await,
                Behaviour::Stall => stall(stream, &state).await,
                Behaviour::Close => close(stream).await,
                Behaviour::Abrupt => abrupt(stream, &state).await,
                Behaviour::Flood => flood(stream).await,
                Behaviour::Slow => slow(stream).await,
            }
        });
    }
}

/// Opens the socket and tells the path that was asked for.
#[allow(clippy::result_large_err, reason = "the callback's type is given")]
async fn open(stream: TcpStream) -> Result<(WebSocketStream<TcpStream>, String), Failure> {
    let mut path = String::new();
    let socket = accept_hdr_async(stream, |request: &Request, response: Response| {
        path = request.uri().path().trim_start_matches('/').to_owned();
        Ok(response)
    })
    .await?;
    Ok((socket, path))
}

/// Counts a connection for as long as this lives.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn echo(stream: TcpStream, state: &State) -> Result<(), Failure> {
    let mut begin = [0; 12];
    if stream.peek(&mut begin).await? == begin.len() && begin == *b"GET /endless" {
        let whole = endless(stream).await.is_ok();
        let ended = if whole { &state.whole } else { &state.cut };
        ended.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    let (mut socket, path) = open(stream).await?;
    if path == "mute" {
        let _counted = Counted::new(&state.echoing);
        return mute(socket.into_inner()).await;
    }
    let status = path == "status";
    let _counted = (!status).then(|| Counted::new(&state.echoing));
    while let Some(message) = socket.next().await {
        let message = message?;
        if !message.is_binary() {
            continue;
        }
        let answer = if status {
            let counts = [&state.echoing, &state.stalled, &state.whole, &state.cut];
            Message::binary(
                counts
                    .map(|count| count.load(Ordering::Relaxed).to_be_bytes())
                    .concat(),
            )
        } else {
            message
        };
        if path == "goodbye" {
            // A stream that says "bye" and ends, then the end of the connection, all at once.
            let stream = [0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 3, b'b', b'y', b'e'];
            let goodbye = [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let frames = [stream.as_slice(), goodbye.as_slice()].concat();
            socket.feed(Message::binary(frames)).await?;
            return Ok(socket.close(None).await?);
        }
        socket.send(answer).await?;
    }
    Ok(())
}

async fn mute(mut stream: TcpStream) -> Result<(), Failure> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn endless(mut stream: TcpStream) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/dns-message\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let block = vec![0; 64 * 1024];
    for _ in 0..1_024 {
        stream.write_all(&block).await?;
    }
    stream.shutdown().await
}

async fn stall(mut stream: TcpStream, state: &State) -> Result<(), Failure> {
    let _counted = Counted::new(&state.stalled);
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn close(stream: TcpStream) -> Result<(), Failure> {
    let (mut socket, path) = open(stream).await?;
    let code = path.parse().unwrap_or(1000);
    socket
        .close(Some(CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        }))
        .await?;
    // Until the other side has said goodbye too.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

async fn abrupt(stream: TcpStream, state: &State) -> Result<(), Failure> {
    let (socket, _) = open(stream).await?;
    let held = state.held.lock().expect("nobody panics with it").take();
    if let Some(end) = held {
        let _ = end.send(());
        return Ok(());
    }
    let (end, ended) = oneshot::channel();
    *state.held.lock().expect("nobody panics with it") = Some(end);
    let _ = ended.await;
    drop(socket);
    Ok(())
}

async fn flood(stream: TcpStream) -> Result<(), Failure> {
    let (mut sink, mut source) = open(stream).await?.0.split();
    let gone = async move { while let Some(Ok(_)) = source.next().await {} };
    let send = async move {
        let message = Message::binary(vec![0xab; 64 * 1024]);
        while sink.send(message.clone()).await.is_ok() {}
    };
    tokio::select! { () = gone => {} () = send => {} }
    Ok(())
}

async fn slow(stream: TcpStream) -> Result<(), Failure> {
    let (mut socket, path) = open(stream).await?;
    let mut read = 0u64;
    while let Some(message) = socket.next().await {
        read += message?.len() as u64;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if path != "silent" {
            socket
                .send(Message::binary(read.to_be_bytes().to_vec()))
                .await?;
        }
    }
    Ok(())
}
