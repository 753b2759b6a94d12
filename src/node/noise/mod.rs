//! Noise for whoever dials: what makes a connection secret and says who is at its other end.
//!
//! `Noise_XX_25519_ChaChaPoly_SHA256` as libp2p speaks it, in the role of the initiator: a light node is never dialed.
//! `libp2p-noise` has both roles and, in wasm, links ciphers and hashes that libp2p never agrees on: this is 19 KB less
//! (brotli). The fleet's nodes are `libp2p-noise`'s, so that every native test is one of the two together.
//!
//! `handshake` is the cryptography, bytes in and bytes out; `secured` is the connection after it. Rules:
//! libp2p-basics.md section 2.

mod handshake;
mod secured;
#[cfg(all(test, feature = "fleet"))]
mod tests;

use std::future::{Ready, ready};
use std::io;
use std::iter;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::identity::{Keypair, PublicKey, SigningError};
use prost::Message;
use x25519_dalek::StaticSecret;

use self::handshake::Handshake;
pub use self::secured::Secured;

/// What the identity key signs of the key that the handshake proves, behind this text.
const DOMAIN: &[u8] = b"noise-libp2p-static-key:";

/// How a node proves on each of its connections who it is.
#[derive(Clone)]
pub struct Config {
    key: StaticSecret,
    /// [`Identity`], encoded.
    identity: Vec<u8>,
}

/// What each side says of itself in the handshake.
#[derive(Clone, PartialEq, Message)]
struct Identity {
    /// The identity key, as libp2p encodes it.
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

impl Config {
    /// # Errors
    /// When the key can't sign.
    pub fn new(keypair: &Keypair) -> Result<Self, SigningError> {
        let key = fresh_key();
        let signature = keypair.sign(&signed(&handshake::public(&key)))?;
        let identity = Identity {
            key: keypair.public().encode_protobuf(),
            signature,
        };
        Ok(Self {
            key,
            identity: identity.encode_to_vec(),
        })
    }

    async fn initiate<T>(self, mut io: T) -> io::Result<(PeerId, Secured<T>)>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let (handshake, hello) = Handshake::begin(fresh_key());
        send(&mut io, &hello).await?;
        let (handshake, theirs) = handshake.answered(receive(&mut io).await?)?;
        let peer = who(&theirs.identity, &theirs.key)?;
        let (proof, keys) = handshake.finish(&self.key, &self.identity)?;
        send(&mut io, &proof).await?;
        Ok((peer, Secured::new(io, keys)))
    }
}

fn fresh_key() -> StaticSecret {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("pages and systems have entropy");
    StaticSecret::from(bytes)
}

/// What an identity signs.
fn signed(key: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, key].concat()
}

/// Who it is that proved to have `key`.
fn who(identity: &[u8], key: &[u8; 32]) -> io::Result<PeerId> {
    let identity =
        Identity::decode(identity).map_err(|_| broken("an identity that can't be read"))?;
    let public = PublicKey::try_decode_protobuf(&identity.key)
        .map_err(|_| broken("an identity key of an unknown kind"))?;
    if public.verify(&signed(key), &identity.signature) {
        Ok(public.to_peer_id())
    } else {
        Err(broken("the signature of an identity does not hold"))
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Every message stands behind its length.
async fn send(io: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| broken("a message that is too long"))?;
    io.write_all(&[&length.to_be_bytes(), message].concat())
        .await?;
    io.flush().await
}

async fn receive(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    io.read_exact(&mut length).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    io.read_exact(&mut message).await?;
    Ok(message)
}

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/noise")
    }
}

impl<T> OutboundConnectionUpgrade<T> for Config
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Secured<T>);
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Output>>;

    fn upgrade_outbound(self, io: T, _: Self::Info) -> Self::Future {
        Box::pin(self.initiate(io))
    }
}

impl<T> InboundConnectionUpgrade<T> for Config
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Secured<T>);
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Output>>;

    /// Nobody dials us: nothing listens.
    fn upgrade_inbound(self, _: T, _: Self::Info) -> Self::Future {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
