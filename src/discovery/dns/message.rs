//! The wire form.

use data_encoding::BASE64URL_NOPAD;

/// The type of a TXT record.
pub const TYPE_TXT: u16 = 16;
/// The class of the Internet.
pub const CLASS_IN: u16 = 1;
/// The answer is complete, even when it is empty.
pub const RCODE_NO_ERROR: u8 = 0;
/// The resolver could not find out.
pub const RCODE_SERVFAIL: u8 = 2;
/// There is no such name.
pub const RCODE_NXDOMAIN: u8 = 3;
/// The largest message in bytes (RFC 1035, section 4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

const HEADER: usize = 12;
const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const FLAG_RECURSION_AVAILABLE: u16 = 0x0080;
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;
const MAX_STRING: usize = 255;
/// Points at the name of the first question, which follows the header.
const POINTER_TO_QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// Why bytes are not a DNS message that is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// Larger than [`MAX_MESSAGE`].
    #[error("larger than 65535 bytes")]
    TooBig,
    /// It ends too early, or a length does not add up.
    #[error("malformed message")]
    Malformed,
    /// A query where an answer was expected, or the other way round.
    #[error("wrong kind of message")]
    WrongKind,
    /// Cut short, which makes no sense over HTTPS.
    #[error("truncated answer")]
    Truncated,
    /// Not a name that a query can carry.
    #[error("not a domain name")]
    BadName,
    /// Something else than exactly one question.
    #[error("not exactly one question")]
    NotOneQuestion,
}

/// What a resolver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsAnswer {
    /// 0 is success; see [`RCODE_NXDOMAIN`] and [`RCODE_SERVFAIL`].
    pub rcode: u8,
    /// The TXT records, the strings of each joined to one text. Their order means nothing.
    pub txt: Vec<String>,
    /// The shortest time to live of these records, in seconds; 0 without any.
    pub ttl_s: u32,
}

/// What a query asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Repeated in the answer. 0 over HTTPS, so that answers can be cached.
    pub id: u16,
    /// The name, without a dot at its end and in the case in which it was sent.
    pub name: String,
    /// The type, [`TYPE_TXT`] for everything that we ask.
    pub qtype: u16,
}

impl Question {
    /// The query, recursion desired.
    pub fn encode(&self) -> Result<Vec<u8>, DnsError> {
        let mut message = Vec::with_capacity(HEADER + self.name.len() + 6);
        put_header(&mut message, self.id, FLAG_RECURSION_DESIRED, 0);
        self.put(&mut message)?;
        Ok(message)
    }

    fn put(&self, message: &mut Vec<u8>) -> Result<(), DnsError> {
        put_name(message, &self.name)?;
        message.extend_from_slice(&self.qtype.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        Ok(())
    }
}

/// The query for the TXT records of a name.
pub fn encode_query(name: &str) -> Result<Vec<u8>, DnsError> {
    Question {
        id: 0,
        name: name.to_owned(),
        qtype: TYPE_TXT,
    }
    .encode()
}

/// The value of the `dns` parameter of a GET request (RFC 8484, section 4.1).
pub fn get_param(query: &[u8]) -> String {
    BASE64URL_NOPAD.encode(query)
}

/// The query in the `dns` parameter of a GET request.
pub fn parse_get_param(value: &str) -> Result<Vec<u8>, DnsError> {
    if value.len() > MAX_MESSAGE {
        return Err(DnsError::TooBig);
    }
    BASE64URL_NOPAD
        .decode(value.as_bytes())
        .map_err(|_| DnsError::Malformed)
}

/// Reads the answer to [`encode_query`]. Records of another type are left out: the resolver followed aliases already.
pub fn decode_response(message: &[u8]) -> Result<DnsAnswer, DnsError> {
    let mut reader = Reader::new(message)?;
    let [_, flags, questions, answers, ..] = reader.header()?;
    if flags & FLAG_RESPONSE == 0 {
        return Err(DnsError::WrongKind);
    }
    if flags & FLAG_TRUNCATED != 0 {
        return Err(DnsError::Truncated);
    }
    for _ in 0..questions {
        reader.skip_name()?;
        reader.take(4)?;
    }
    let (mut txt, mut ttl_s) = (Vec::new(), None);
    for _ in 0..answers {
        reader.skip_name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        let ttl = u32::from(reader.u16()?) << 16 | u32::from(reader.u16()?);
        let length = reader.u16()?;
        let data = reader.take(length.into())?;
        if kind == TYPE_TXT && class == CLASS_IN {
            txt.push(join(data)?);
            ttl_s = Some(ttl_s.map_or(ttl, |least: u32| least.min(ttl)));
        }
    }
    let [_, code] = flags.to_be_bytes();
    Ok(DnsAnswer {
        rcode: code & 0x0f,
        txt,
        ttl_s: ttl_s.unwrap_or(0),
    })
}

/// Reads a query, for whoever answers it.
pub fn decode_query(message: &[u8]) -> Result<Question, DnsError> {
    let mut reader = Reader::new(message)?;
    let [id, flags, questions, ..] = reader.header()?;
    if flags & FLAG_RESPONSE != 0 {
        return Err(DnsError::WrongKind);
    }
    if questions != 1 {
        return Err(DnsError::NotOneQuestion);
    }
    let name = reader.plain_name()?;
    let (qtype, class) = (reader.u16()?, reader.u16()?);
    if class != CLASS_IN {
        return Err(DnsError::Malformed);
    }
    Ok(Question { id, name, qtype })
}

/// The answer to a question: one TXT record for each text, in strings of at most 255 bytes.
///
/// Fails when the texts do not fit one message or the question has no valid name.
pub fn encode_response(
    question: &Question,
    rcode: u8,
    texts: &[String],
    ttl_s: u32,
) -> Result<Vec<u8>, DnsError> {
    let flags =
        FLAG_RESPONSE | FLAG_RECURSION_DESIRED | FLAG_RECURSION_AVAILABLE | u16::from(rcode & 0x0f);
    let answers = u16::try_from(texts.len()).map_err(|_| DnsError::TooBig)?;
    let mut message = Vec::with_capacity(512);
    put_header(&mut message, question.id, flags, answers);
    question.put(&mut message)?;
    for text in texts {
        let strings = text.len().div_ceil(MAX_STRING).max(1);
        let length = u16::try_from(text.len() + strings).map_err(|_| DnsError::TooBig)?;
        message.extend_from_slice(&POINTER_TO_QUESTION);
        message.extend_from_slice(&TYPE_TXT.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message.extend_from_slice(&ttl_s.to_be_bytes());
        message.extend_from_slice(&length.to_be_bytes());
        if text.is_empty() {
            message.push(0);
        }
        for string in text.as_bytes().chunks(MAX_STRING) {
            message.push(u8::try_from(string.len()).expect("chunks of at most 255 bytes"));
            message.extend_from_slice(string);
        }
    }
    if message.len() > MAX_MESSAGE {
        return Err(DnsError::TooBig);
    }
    Ok(message)
}

fn put_header(message: &mut Vec<u8>, id: u16, flags: u16, answers: u16) {
    for field in [id, flags, 1, answers, 0, 0] {
        message.extend_from_slice(&field.to_be_bytes());
    }
}

fn put_name(message: &mut Vec<u8>, name: &str) -> Result<(), DnsError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_NAME {
        return Err(DnsError::BadName);
    }
    for label in name.split('.') {
        match u8::try_from(label.len()) {
            Ok(length @ 1..) if label.len() <= MAX_LABEL && label.is_ascii() => {
                message.push(length);
                message.extend_from_slice(label.as_bytes());
            }
            _ => return Err(DnsError::BadName),
        }
    }
    message.push(0);
    Ok(())
}

/// Joins the strings of one TXT record with nothing between them. What is not UTF-8 is none of ours and is replaced.
fn join(mut data: &[u8]) -> Result<String, DnsError> {
    let mut text = Vec::with_capacity(data.len());
    while let Some((&length, rest)) = data.split_first() {
        let (string, rest) = rest
            .split_at_checked(length.into())
            .ok_or(DnsError::Malformed)?;
        text.extend_from_slice(string);
        data = rest;
    }
    Ok(String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(message: &'a [u8]) -> Result<Self, DnsError> {
        if message.len() > MAX_MESSAGE {
            return Err(DnsError::TooBig);
        }
        Ok(Self { rest: message })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DnsError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DnsError::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, DnsError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, DnsError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Id, flags, and the counts of questions, answers, authorities and additional records.
    fn header(&mut self) -> Result<[u16; 6], DnsError> {
        let mut fields = [0; 6];
        for field in &mut fields {
            *field = self.u16()?;
        }
        Ok(fields)
    }

    /// Passes over a name. A pointer ends it; where it points is of no interest, so no loop can arise.
    fn skip_name(&mut self) -> Result<(), DnsError> {
        loop {
            match self.u8()? {
                0 => return Ok(()),
                length @ 1..=63 => {
                    self.take(length.into())?;
                }
                0xc0.. => {
                    self.take(1)?;
                    return Ok(());
                }
                _ => return Err(DnsError::Malformed),
            }
        }
    }

    /// Reads a name without pointers: the first name of a message has nothing to point at.
    fn plain_name(&mut self) -> Result<String, DnsError> {
        let mut name = String::new();
        loop {
            match self.u8()? {
                0 if name.is_empty() => return Err(DnsError::BadName),
                0 => return Ok(name),
                length @ 1..=63 => {
                    let label = self.take(length.into())?;
                    let label = str::from_utf8(label)
                        .ok()
                        .filter(|label| label.is_ascii() && !label.contains('.'))
                        .ok_or(DnsError::BadName)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(label);
                    if name.len() > MAX_NAME {
                        return Err(DnsError::BadName);
                    }
                }
                _ => return Err(DnsError::Malformed),
            }
        }
    }
}
