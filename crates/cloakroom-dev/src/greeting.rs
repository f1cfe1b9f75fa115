//! Text that the runner prints after it has started to listen.

use std::fmt::Write as _;

use cloakroom_app::Registry;

use crate::{Data, Listen};

/// Returns the address of the service, the location of its data, and an example line for each command.
pub(crate) fn text(place: &Listen, data: &Data, commands: &Registry) -> String {
    let mut text = format!(
        "listening on http://{place}\n{data}; stop it with Ctrl-C\n\nopen http://{place} in a browser, or try:\n"
    );
    for command in commands.iter().filter(|command| !command.is_diagnostic()) {
        let example = command.curl(&format!("http://{place}"));
        writeln!(text, "  {example}").expect("writing to a string does not fail");
    }
    write!(
        text,
        "  curl -i http://{place}/jobs/ID   # the Location of the response; or open it in a browser"
    )
    .expect("writing to a string does not fail");
    text
}
