//! Where an HTTP/1.1 answer ends. Pure: bytes in, lengths out.

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, the empty line included.
    pub bytes: usize,
    /// How the body's end is found.
    pub body: Body,
}

/// How the body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It has this many bytes.
    Length(usize),
    /// It comes in chunks, each with its length.
    Chunked,
}

/// The bytes are no answer that this client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads the head at the start of `bytes`; `None` when it has not come whole.
///
/// # Errors
/// [`Malformed`] when what came is no HTTP/1.1 answer, or does not say where it ends.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or(Malformed)?;
    let mut body = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Malformed)?;
        if name.eq_ignore_ascii_case("content-length") {
            body = Some(Body::Length(value.trim().parse().map_err(|_| Malformed)?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Some(Body::Chunked);
        }
    }
    // 204 and 304 have no body and need not say so.
    let body = match (body, status) {
        (_, 204 | 304) => Body::Length(0),
        (body, _) => body.ok_or(Malformed)?,
    };
    Ok(Some(Head {
        status,
        bytes: end + 4,
        body,
    }))
}

/// A chunk's length and where its data begins; `None` when its first line has not come whole. The last chunk is empty.
///
/// # Errors
/// [`Malformed`] when there is no length.
pub fn chunk(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let Some(end) = find(&bytes[..bytes.len().min(64)], b"\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let digits = text.split(';').next().unwrap_or("").trim();
    let length = usize::from_str_radix(digits, 16).map_err(|_| Malformed)?;
    Ok(Some((length, end + 2)))
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

#[cfg(test)]
mod tests;
