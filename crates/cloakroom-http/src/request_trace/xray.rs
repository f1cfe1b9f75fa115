//! X-Ray's tracing header:
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use std::fmt;

use cloakroom_app::TraceContext;

/// Known fields of an `X-Amzn-Trace-Id`. Lambda sends each function its invocation as the parent, so that traces show the
/// function's own calls below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct XRay {
    /// 8 hexadecimal digits of the time, and 24 random ones.
    root: (String, String),
    parent: Option<String>,
    sampled: Option<bool>,
    /// Value that Lambda uses to detect endless loops.
    lineage: Option<String>,
}

impl XRay {
    /// Parses the header. Returns `None` if it names no trace.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = header
                .split(';')
                .filter_map(|field| field.trim().split_once('='));
            fields
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)
        };
        let (version, root) = field("Root")?.split_once('-')?;
        let (time, rest) = root.split_once('-')?;
        if version != "1"
            || !is_hex(time, 8)
            || !is_hex(rest, 24)
            || root.bytes().all(|b| matches!(b, b'0' | b'-'))
        {
            return None;
        }
        let parent = field("Parent")
            .filter(|parent| is_hex(parent, 16) && parent.bytes().any(|b| b != b'0'));
        let lineage = field("Lineage").filter(|lineage| {
            lineage.len() <= 256
                && lineage
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b":|-".contains(&b))
        });
        Some(Self {
            root: (time.to_owned(), rest.to_owned()),
            parent: parent.map(ToOwned::to_owned),
            sampled: match field("Sampled") {
                Some("1") => Some(true),
                Some("0") => Some(false),
                // "?": the receiver decides.
                _ => None,
            },
            lineage: lineage.map(ToOwned::to_owned),
        })
    }

    /// Returns the same trace as a W3C trace context. Without a parent, its span id is made of `random`.
    pub(crate) fn trace_context(&self, random: u128) -> TraceContext {
        let (time, rest) = &self.root;
        let flags = if self.sampled == Some(true) {
            "01"
        } else {
            "00"
        };
        let parent = self.parent.as_deref().unwrap_or("0000000000000001");
        let trace = TraceContext::parse(&format!("00-{time}{rest}-{parent}-{flags}"));
        match (trace, &self.parent) {
            (Some(trace), Some(_)) => trace,
            (Some(trace), None) => trace.child(random),
            // Its parts are well-formed, so this is not reached; the request has a trace all the same.
            (None, _) => TraceContext::new(random),
        }
    }
}

impl fmt::Display for XRay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root=1-{}-{}", self.root.0, self.root.1)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        if let Some(sampled) = self.sampled {
            write!(f, ";Sampled={}", u8::from(sampled))?;
        }
        self.lineage
            .as_ref()
            .map_or(Ok(()), |lineage| write!(f, ";Lineage={lineage}"))
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
