//! Which stack an operator's tool is to look at.

/// The longest that leaves room for `-dead-letters`: a function's name has at most 64 characters.
const LONGEST: usize = 64 - "-dead-letters".len();

/// The stack that a tool is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Stack {
    /// The stack: its functions are STACK-submit and so on
    #[arg(long, env = "CLOAKROOM_STACK", default_value = "cloakroom", value_parser = name)]
    pub(crate) stack: String,
}

/// A stack's name, as `CloudFormation` takes it; short enough for the functions' names.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let good =
        plain && text.len() <= LONGEST && text.starts_with(|c: char| c.is_ascii_alphabetic());
    good.then(|| text.to_owned()).ok_or_else(|| {
        format!("want a letter, and then letters, digits and hyphens; at most {LONGEST}")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_stack_is_a_name_that_functions_can_be_called_by() {
        assert!(
            ["cloakroom", "a", "My-stack-2", &"a".repeat(51)]
                .iter()
                .all(|text| name(text).is_ok())
        );
        assert!(
            ["", "2a", "a b", "a/b", "a'b", &"a".repeat(52)]
                .iter()
                .all(|text| name(text).is_err())
        );
    }

    #[test]
    fn every_tool_that_takes_a_stack_takes_such_a_name() {
        let lines: [&[&str]; 3] = [
            &["doctor"],
            &["redrive"],
            &["explain", "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"],
        ];
        for line in lines {
            let named = |stack: &str| {
                let line = ["cloakroom"].iter().chain(line).copied();
                Cli::try_parse_from(line.chain(["--stack", stack])).is_ok()
            };
            assert!(named("My-stack-2") && !named(&"a".repeat(52)), "{line:?}");
        }
    }
}
