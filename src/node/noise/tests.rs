//! Against `libp2p-noise`, over a pipe in memory.

use futures::future::{join, poll_immediate};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::identity::ed25519;
use libp2p::noise;

use super::handshake::TAG;
use super::*;
use crate::node::pipe::{Pipe, pipe};

type Theirs = noise::Output<Pipe>;

/// Both sides of a handshake over a pipe that holds so many bytes each way: who each says the other is, and the connection.
async fn connect(
    ours: &Keypair,
    theirs: &Keypair,
    room: usize,
) -> ((PeerId, Secured<Pipe>), (PeerId, Theirs)) {
    let (here, there) = pipe(room);
    let (ours, theirs) = join(initiate(ours, here), respond(theirs, there)).await;
    (ours.unwrap(), theirs.unwrap())
}

async fn initiate(key: &Keypair, io: Pipe) -> io::Result<(PeerId, Secured<Pipe>)> {
    Config::new(key)
        .unwrap()
        .upgrade_outbound(io, "/noise")
        .await
}

async fn respond(key: &Keypair, io: Pipe) -> Result<(PeerId, Theirs), noise::Error> {
    let config = noise::Config::new(key).unwrap();
    config.upgrade_inbound(io, "/noise").await
}

/// Bytes that are not all the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Writes in pieces of many sizes.
async fn write(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    let mut rest = bytes;
    for size in (1..).map(|step| step * step * 7) {
        let (piece, after) = rest.split_at(rest.len().min(size));
        io.write_all(piece).await.unwrap();
        if size % 3 == 0 {
            io.flush().await.unwrap();
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    io.flush().await.unwrap();
}

async fn read(io: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    io.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn each_side_learns_who_the_other_is_and_reads_what_it_wrote() {
    for (ours, theirs) in [
        (Keypair::generate_ed25519(), Keypair::generate_secp256k1()),
        (Keypair::generate_secp256k1(), Keypair::generate_ed25519()),
    ] {
        let ((they, mut here), (we, mut there)) = connect(&ours, &theirs, 1_000).await;
        assert_eq!(they, theirs.public().to_peer_id());
        assert_eq!(we, ours.public().to_peer_id());
        let sent = bytes(300_000);
        let (_, came) = join(write(&mut here, &sent), read(&mut there, sent.len())).await;
        assert!(came == sent);
        let (_, came) = join(write(&mut there, &sent), read(&mut here, sent.len())).await;
        assert!(came == sent);
    }
}

#[tokio::test]
async fn an_answer_that_was_changed_anywhere_is_refused() {
    let (ours, theirs) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    for changed in (2..200).step_by(3) {
        let (here, mut middle) = pipe(10_000);
        let (mut other, there) = pipe(10_000);
        let between = async {
            let hello = receive(&mut middle).await.unwrap();
            send(&mut other, &hello).await.unwrap();
            let mut answer = receive(&mut other).await.unwrap();
            let at = changed % answer.len();
            answer[at] ^= 0x10;
            send(&mut middle, &answer).await.unwrap();
            other.end();
        };
        let all = join(
            initiate(&ours, here),
            join(between, respond(&theirs, there)),
        );
        let (initiated, (_, responded)) = all.await;
        assert_eq!(
            initiated.err().map(|error| error.kind()),
            Some(io::ErrorKind::InvalidData),
            "{changed}"
        );
        assert!(responded.is_err(), "{changed}");
    }
}

#[tokio::test]
async fn a_text_that_was_changed_or_comes_again_ends_the_connection() {
    let key = Keypair::generate_ed25519();
    for again in [false, true] {
        let (here, mut middle) = pipe(10_000);
        let (mut other, there) = pipe(10_000);
        let between = async {
            send(&mut other, &receive(&mut middle).await.unwrap())
                .await
                .unwrap();
            send(&mut middle, &receive(&mut other).await.unwrap())
                .await
                .unwrap();
            send(&mut other, &receive(&mut middle).await.unwrap())
                .await
                .unwrap();
        };
        let both = join(initiate(&key, here), respond(&key, there));
        let ((here, there), ()) = join(both, between).await;
        let (mut here, mut there) = (here.unwrap().1, there.unwrap().1);
        there.write_all(b"hello").await.unwrap();
        there.flush().await.unwrap();
        let mut text = receive(&mut other).await.unwrap();
        assert_eq!(text.len(), 5 + TAG);
        if again {
            send(&mut middle, &text).await.unwrap();
            assert_eq!(read(&mut here, 5).await, b"hello");
        } else {
            text[0] ^= 1;
        }
        send(&mut middle, &text).await.unwrap();
        let error = here.read(&mut [0; 5]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn an_end_amid_a_text_is_no_end() {
    let key = Keypair::generate_ed25519();
    for cut in [0, 1, 2, 10] {
        let (here, mut middle) = pipe(10_000);
        let (mut other, there) = pipe(10_000);
        let between = async {
            send(&mut other, &receive(&mut middle).await.unwrap())
                .await
                .unwrap();
            send(&mut middle, &receive(&mut other).await.unwrap())
                .await
                .unwrap();
        };
        let both = join(initiate(&key, here), between);
        let (initiated, _) = join(both, poll_immediate(respond(&key, there))).await;
        let mut here = initiated.0.unwrap().1;
        middle
            .write_all(&[0, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10][..cut])
            .await
            .unwrap();
        middle.end();
        let read = here.read(&mut [0; 5]).await;
        match cut {
            0 => assert_eq!(read.unwrap(), 0),
            _ => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof),
        }
    }
}

#[tokio::test]
async fn what_is_written_waits_for_a_flush_or_a_full_text_and_no_more_is_held() {
    let key = Keypair::generate_ed25519();
    let ((_, mut here), (_, there)) = connect(&key, &key, 100_000).await;
    let pipe = here.io.clone();
    assert_eq!(here.write(b"").await.unwrap(), 0);
    here.flush().await.unwrap();
    assert_eq!(pipe.on_its_way(), 0);
    here.write_all(&bytes(100)).await.unwrap();
    here.write_all(&bytes(100)).await.unwrap();
    assert_eq!(pipe.on_its_way(), 0);
    here.flush().await.unwrap();
    assert_eq!(pipe.on_its_way(), 2 + 200 + TAG);
    // Nobody reads: what the pipe holds, one text that is encrypted, and one that is gathered.
    let much = bytes(1_000_000);
    let mut taken = 0;
    while let Some(more) = poll_immediate(here.write(&much)).await {
        taken += more.unwrap();
    }
    assert!((100_000..100_000 + 2 * 65_535).contains(&taken), "{taken}");
    drop(there);
}

#[test]
fn an_identity_that_did_not_sign_the_key_is_nobody() {
    let keypair = Keypair::generate_secp256k1();
    let key = public_of(1);
    let identity = |signed_key: &[u8; 32]| Identity {
        key: keypair.public().encode_protobuf(),
        signature: keypair.sign(&signed(signed_key)).unwrap(),
    };
    let good = identity(&key);
    assert_eq!(
        who(&good.encode_to_vec(), &key).unwrap(),
        keypair.public().to_peer_id()
    );
    assert!(who(&identity(&public_of(2)).encode_to_vec(), &key).is_err());
    let other = Keypair::from(ed25519::Keypair::generate())
        .public()
        .encode_protobuf();
    let stolen = Identity {
        key: other,
        ..good.clone()
    };
    assert!(who(&stolen.encode_to_vec(), &key).is_err());
    let unsigned = Identity {
        signature: Vec::new(),
        ..good.clone()
    };
    assert!(who(&unsigned.encode_to_vec(), &key).is_err());
    let unknown = Identity {
        key: vec![8, 9],
        ..good
    };
    assert!(who(&unknown.encode_to_vec(), &key).is_err());
    assert!(who(&[0xff], &key).is_err());
}

fn public_of(seed: u8) -> [u8; 32] {
    handshake::public(&StaticSecret::from([seed; 32]))
}

#[test]
fn a_key_that_makes_no_secret_is_refused() {
    let (handshake, _) = Handshake::begin(StaticSecret::from([1; 32]));
    let mut answer = vec![0; 200];
    answer[0] = 1;
    let error = handshake.answered(answer).map(drop).unwrap_err();
    assert!(error.to_string().contains("in common"));
}

#[test]
fn an_answer_that_is_too_short_is_refused() {
    for length in [0, 31, 32, 80, 95] {
        let (handshake, _) = Handshake::begin(StaticSecret::from([1; 32]));
        assert!(handshake.answered(vec![9; length]).is_err());
    }
}
