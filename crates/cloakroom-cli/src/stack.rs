//! The stack that an operator's command examines.

/// Longest name of a stack. With `-dead-letters` it must fit into the 64 characters of a function's name.
const LONGEST: usize = 64 - "-dead-letters".len();

/// Option of the stack.
#[derive(Debug, clap::Args)]
pub(crate) struct Stack {
    /// Name of the stack: its functions are STACK-submit and so on
    #[arg(long, env = "CLOAKROOM_STACK", default_value = "cloakroom", value_parser = name)]
    pub(crate) stack: String,
}

/// Parses the name of a stack: one that `CloudFormation` accepts, and short enough for the functions' names.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let good =
        plain && text.len() <= LONGEST && text.starts_with(|c: char| c.is_ascii_alphabetic());
    good.then(|| text.to_owned()).ok_or_else(|| {
        format!("expected a letter, then letters, digits and hyphens; at most {LONGEST} characters")
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
