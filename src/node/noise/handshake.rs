//! The handshake: three messages, after which both sides have the same two keys.
//!
//! ```text
//! → e                    our key of this handshake
//! ← e, ee, s, es         theirs; from here on all is encrypted: their lasting key, and who they are
//! → s, se                our lasting key, and who we are
//! ```
//!
//! Each message is mixed into a hash that the next encryption vouches for, so none can be changed or left out. Names are
//! those of the Noise specification (revision 34, sections 5 and 7).

use std::io;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use super::broken;

/// Of 32 bytes, as long as a hash: it is the first one.
const NAME: &[u8; 32] = b"Noise_XX_25519_ChaChaPoly_SHA256";

/// A public key.
const KEY: usize = 32;

/// What vouches for an encrypted text, at its end.
pub(super) const TAG: usize = 16;

pub(super) fn public(key: &StaticSecret) -> [u8; KEY] {
    PublicKey::from(key).to_bytes()
}

/// One key, and how often it was used: never twice with the same number.
pub(super) struct Cipher {
    key: ChaCha20Poly1305,
    used: u64,
}

impl Cipher {
    fn new(key: [u8; 32]) -> Self {
        Self {
            key: ChaCha20Poly1305::new(&key.into()),
            used: 0,
        }
    }

    fn nonce(&mut self) -> io::Result<[u8; 12]> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.used.to_le_bytes());
        self.used = self
            .used
            .checked_add(1)
            .ok_or_else(|| broken("a key is used up"))?;
        Ok(nonce)
    }

    /// Encrypts what stands in `text` from `at` on, and appends the tag. `known` is vouched for with it.
    pub(super) fn encrypt(
        &mut self,
        known: &[u8],
        text: &mut Vec<u8>,
        at: usize,
    ) -> io::Result<()> {
        let nonce = self.nonce()?.into();
        let tag = self
            .key
            .encrypt_inout_detached(&nonce, known, (&mut text[at..]).into())
            .map_err(|_| broken("a text that is too long"))?;
        text.extend_from_slice(&tag);
        Ok(())
    }

    /// Decrypts `text` in its place, and cuts the tag off.
    ///
    /// # Errors
    /// When it is not what the other side encrypted.
    pub(super) fn decrypt(&mut self, known: &[u8], text: &mut Vec<u8>) -> io::Result<()> {
        let nonce = self.nonce()?.into();
        let forged = || broken("a text that is forged or out of order");
        let length = text.len().checked_sub(TAG).ok_or_else(forged)?;
        let (encrypted, tag) = text.split_at_mut(length);
        let tag = (&*tag).try_into().map_err(|_| forged())?;
        self.key
            .decrypt_inout_detached(&nonce, known, encrypted.into(), tag)
            .map_err(|_| forged())?;
        text.truncate(length);
        Ok(())
    }
}

/// What both sides know so far.
struct Symmetric {
    chaining_key: [u8; 32],
    hash: [u8; 32],
}

impl Symmetric {
    fn mix_hash(&mut self, data: &[u8]) {
        let hash = Sha256::new().chain_update(self.hash).chain_update(data);
        self.hash = hash.finalize().into();
    }

    /// Two keys out of what is known and `secret`.
    fn expand(&self, secret: &[u8]) -> ([u8; 32], [u8; 32]) {
        let mut keys = [[0; 32]; 2];
        Hkdf::<Sha256>::new(Some(&self.chaining_key), secret)
            .expand(&[], keys.as_flattened_mut())
            .expect("two hashes are not too long");
        (keys[0], keys[1])
    }

    /// Mixes in what two keys have in common, and gives the cipher for what comes next.
    fn mix_key(&mut self, ours: &StaticSecret, theirs: [u8; KEY]) -> io::Result<Cipher> {
        let shared = ours.diffie_hellman(&PublicKey::from(theirs));
        if !shared.was_contributory() {
            return Err(broken("a key that has the same in common with every other"));
        }
        let (chaining_key, key) = self.expand(shared.as_bytes());
        self.chaining_key = chaining_key;
        Ok(Cipher::new(key))
    }

    fn encrypt_and_hash(
        &mut self,
        cipher: &mut Cipher,
        message: &mut Vec<u8>,
        text: &[u8],
    ) -> io::Result<()> {
        let at = message.len();
        message.extend_from_slice(text);
        cipher.encrypt(&self.hash, message, at)?;
        self.mix_hash(&message[at..]);
        Ok(())
    }

    fn decrypt_and_hash(&mut self, cipher: &mut Cipher, mut text: Vec<u8>) -> io::Result<Vec<u8>> {
        let known = self.hash;
        self.mix_hash(&text);
        cipher.decrypt(&known, &mut text)?;
        Ok(text)
    }
}

/// The first message is sent.
pub(super) struct Handshake {
    symmetric: Symmetric,
    ephemeral: StaticSecret,
}

/// Who answered, by their own word.
pub(super) struct Theirs {
    /// Their lasting key, which they have.
    pub(super) key: [u8; KEY],
    /// What they say of it.
    pub(super) identity: Vec<u8>,
}

/// The second message came; what the third needs.
pub(super) struct Answered {
    symmetric: Symmetric,
    cipher: Cipher,
    their_ephemeral: [u8; KEY],
}

/// For all that follows.
pub(super) struct Keys {
    pub(super) ours: Cipher,
    pub(super) theirs: Cipher,
}

impl Handshake {
    /// The first message.
    pub(super) fn begin(ephemeral: StaticSecret) -> (Self, [u8; KEY]) {
        let mut symmetric = Symmetric {
            chaining_key: *NAME,
            hash: *NAME,
        };
        let hello = public(&ephemeral);
        // Of the prologue, which is empty; of the key; and of what stands behind it, which is empty, too.
        symmetric.mix_hash(&[]);
        symmetric.mix_hash(&hello);
        symmetric.mix_hash(&[]);
        let begun = Self {
            symmetric,
            ephemeral,
        };
        (begun, hello)
    }

    /// Reads the second message.
    ///
    /// # Errors
    /// When it is no answer to ours, or was changed on its way.
    pub(super) fn answered(mut self, mut message: Vec<u8>) -> io::Result<(Answered, Theirs)> {
        if message.len() < KEY + KEY + TAG + TAG {
            return Err(broken("an answer that is too short"));
        }
        let identity = message.split_off(KEY + KEY + TAG);
        let key = message.split_off(KEY);
        let their_ephemeral = array(message);
        let symmetric = &mut self.symmetric;
        symmetric.mix_hash(&their_ephemeral);
        let mut cipher = symmetric.mix_key(&self.ephemeral, their_ephemeral)?;
        let key = array(symmetric.decrypt_and_hash(&mut cipher, key)?);
        let mut cipher = symmetric.mix_key(&self.ephemeral, key)?;
        let identity = symmetric.decrypt_and_hash(&mut cipher, identity)?;
        let answered = Answered {
            symmetric: self.symmetric,
            cipher,
            their_ephemeral,
        };
        Ok((answered, Theirs { key, identity }))
    }
}

impl Answered {
    /// The third message, and the keys that both sides have from then on.
    ///
    /// # Errors
    /// None, with an identity that fits a message and keys that were read above.
    pub(super) fn finish(
        mut self,
        key: &StaticSecret,
        identity: &[u8],
    ) -> io::Result<(Vec<u8>, Keys)> {
        let symmetric = &mut self.symmetric;
        let mut message = Vec::new();
        symmetric.encrypt_and_hash(&mut self.cipher, &mut message, &public(key))?;
        let mut cipher = symmetric.mix_key(key, self.their_ephemeral)?;
        symmetric.encrypt_and_hash(&mut cipher, &mut message, identity)?;
        let (ours, theirs) = symmetric.expand(&[]);
        let keys = Keys {
            ours: Cipher::new(ours),
            theirs: Cipher::new(theirs),
        };
        Ok((message, keys))
    }
}

/// A key that was cut out at its length.
fn array(bytes: Vec<u8>) -> [u8; KEY] {
    bytes.try_into().expect("the length was seen to")
}
