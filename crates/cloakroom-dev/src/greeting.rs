//! The text that the runner prints once it listens.

use std::fmt::Write as _;

use cloakroom_app::Registry;

use crate::{Data, Listen};

/// Returns where the service listens, where its data is, and a line to try each command with.
pub(crate) fn text(place: &Listen, data: &Data, commands: &Registry) -> String {
    let mut text = format!(
        "listening on http://{place}\n{data}; end it with Ctrl-C\n\nopen http://{place} in a browser, or try:\n"
    );
    for command in commands.iter().filter(|command| !command.is_diagnostic()) {
        let example = command.curl(&format!("http://{place}"));
        writeln!(text, "  {example}").expect("writing to a string does not fail");
    }
    write!(
        text,
        "  curl -i http://{place}/jobs/ID   # the Location of the answer; or open it in a browser"
    )
    .expect("writing to a string does not fail");
    text
}
