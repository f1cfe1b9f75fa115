//! Text that the runner prints after it has started to listen.

use std::fmt::Write as _;

use cloakroom_embedded::Services;

use crate::listen::Listen;
use crate::parts::Parts;
use crate::settings::Data;

/// Returns the address of the service, the location of its data, and an example line for each command.
pub(crate) fn text(place: &Listen, data: &Data, parts: &Parts) -> String {
    let mut text = format!(
        "listening on http://{place}\n{data}; stop it with Ctrl-C\n\nopen http://{place} in a browser, or try:\n"
    );
    for command in parts
        .commands
        .iter()
        .filter(|command| !command.is_diagnostic())
    {
        let example = command.curl(&format!("http://{place}"));
        writeln!(text, "  {example}").expect("writing to a string does not fail");
    }
    write!(
        text,
        "  curl -i http://{place}/jobs/ID   # the Location of the response; or open it in a browser"
    )
    .expect("writing to a string does not fail");
    for (name, url) in &parts.reply_queues {
        write!(
            text,
            "\nreply queue {name}: {url} (region {}, access key {}, secret key {})",
            Services::REGION,
            Services::ACCESS_KEY,
            Services::SECRET_KEY
        )
        .expect("writing to a string does not fail");
    }
    text
}
