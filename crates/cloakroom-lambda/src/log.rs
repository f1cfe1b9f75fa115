//! Formatter of log lines: one JSON object each, written at once. `tracing-subscriber` can do the same, but parses the
//! fields of a span again for each line and each member. That takes longer than anything else in a request.

pub(crate) mod lines;

use std::fmt::{self, Debug, Write};

use lambda_http::tracing::field::{Field, Visit};
use lambda_http::tracing::span::Record;
use lambda_http::tracing::subscriber::field::RecordFields;
use lambda_http::tracing::subscriber::fmt::format::Writer;
use lambda_http::tracing::subscriber::fmt::time::{FormatTime as _, SystemTime};
use lambda_http::tracing::subscriber::fmt::{
    FmtContext, FormatEvent, FormatFields, FormattedFields,
};
use lambda_http::tracing::subscriber::registry::LookupSpan;
use lambda_http::tracing::{Event, Subscriber};

/// An event as a line: `timestamp`, `level`, its fields, `target`, and its `span` with fields and `name`.
pub(crate) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        write!(line, "\",\"level\":\"{}\"", event.metadata().level())?;
        let mut members = Members {
            to: line.by_ref(),
            first: false,
            written: Ok(()),
        };
        event.record(&mut members);
        members.written?;
        write!(line, ",\"target\":\"{}\"", event.metadata().target())?;
        let span = event
            .parent()
            .and_then(|id| context.span(id))
            .or_else(|| context.lookup_current());
        if let Some(span) = span {
            line.write_str(",\"span\":{")?;
            let extensions = span.extensions();
            let fields = extensions
                .get::<FormattedFields<N>>()
                .filter(|fields| !fields.is_empty());
            if let Some(fields) = fields {
                line.write_str(&fields.fields)?;
                line.write_char(',')?;
            }
            write!(line, "\"name\":\"{}\"}}", span.name())?;
        }
        line.write_str("}\n")
    }
}

/// Fields of a span, as the members of a JSON object without braces.
pub(crate) struct Fields;

impl<'a> FormatFields<'a> for Fields {
    fn format_fields<R: RecordFields>(&self, to: Writer<'a>, fields: R) -> fmt::Result {
        let mut members = Members {
            to,
            first: true,
            written: Ok(()),
        };
        fields.record(&mut members);
        members.written
    }

    fn add_fields(&self, known: &'a mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let first = known.is_empty();
        let mut members = Members {
            to: known.as_writer(),
            first,
            written: Ok(()),
        };
        fields.record(&mut members);
        members.written
    }
}

struct Members<'a> {
    to: Writer<'a>,
    first: bool,
    written: fmt::Result,
}

impl Members<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let before = if std::mem::take(&mut self.first) {
            "\""
        } else {
            ",\""
        };
        let name = field.name().strip_prefix("r#").unwrap_or(field.name());
        let said = [before, name, "\":"]
            .into_iter()
            .try_for_each(|text| self.to.write_str(text));
        self.written = self.written.and(said).and_then(|()| value(&mut self.to));
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no other numbers.
        self.member(field, |to| {
            if value.is_finite() {
                write!(to, "{value:?}")
            } else {
                to.write_str("null")
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |to| write!(to, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |to| text(to, |to| to.write_str(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |to| text(to, |to| write!(to, "{value:?}")));
    }
}

fn text<'a>(
    to: &mut Writer<'a>,
    value: impl FnOnce(&mut Escaped<'_, 'a>) -> fmt::Result,
) -> fmt::Result {
    to.write_char('"')?;
    value(&mut Escaped(to))?;
    to.write_char('"')
}

/// Writer of text inside a JSON string.
struct Escaped<'a, 'b>(&'a mut Writer<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            // All of these bytes are complete characters.
            self.0.write_str(&text[plain..at])?;
            plain = at + 1;
            match byte {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                control => write!(self.0, "\\u{control:04x}")?,
            }
        }
        self.0.write_str(&text[plain..])
    }
}
