//! Trace of a job: the W3C trace context, level 1 (<https://www.w3.org/TR/trace-context-1/>).

use std::fmt;

/// A well-formed `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(String);

/// Flag of version 00: the creator of the trace may have recorded it.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// Parses a `traceparent` header (section 3.2). Returns `None` if it is not well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, '-');
        let hex = |digits: usize| {
            move |field: &&str| {
                field.len() == digits
                    && field
                        .bytes()
                        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
        };
        let some = |field: &&str| field.bytes().any(|b| b != b'0');
        let version = fields
            .next()
            .filter(hex(2))
            .filter(|&version| version != "ff")?;
        fields.next().filter(hex(32)).filter(some)?;
        fields.next().filter(hex(16)).filter(some)?;
        fields.next().filter(hex(2))?;
        // A later version may have more fields, which are passed on.
        let more = fields.next().is_some();
        (text.len() <= 256 && (!more || version != "00")).then(|| Self(text.to_owned()))
    }

    /// Creates a trace from random bits. Its flag `sampled` is not set.
    pub fn new(random: u128) -> Self {
        // Neither id may be zero.
        let (trace, span) = (random.max(1), random ^ (random >> 64));
        Self::from_parts(&format!("{trace:032x}"), span, 0)
    }

    /// Creates a child span in the same trace from random bits. It is the parent of further spans.
    #[must_use]
    pub fn child(&self, random: u128) -> Self {
        Self::from_parts(self.trace_id(), random, self.flags() & SAMPLED)
    }

    fn from_parts(trace_id: &str, random: u128, flags: u8) -> Self {
        let span = u64::try_from(random & u128::from(u64::MAX))
            .unwrap_or(1)
            .max(1);
        Self(format!("00-{trace_id}-{span:016x}-{flags:02x}"))
    }

    /// Returns the id of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    fn flags(&self) -> u8 {
        u8::from_str_radix(&self.0[53..55], 16).unwrap_or(0)
    }

    /// Returns the value of the `traceparent` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
