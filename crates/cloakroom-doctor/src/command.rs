//! Commands that fix a finding: complete `aws …` command lines, with the region and the names of the deployment.
//!
//! The AWS CLI finds credentials like the SDK does. Region and endpoint are explicit, because version 1 does not read
//! `AWS_REGION`, nor, for SQS in some regions, `AWS_ENDPOINT_URL`.

use serde_json::Value;

/// Target of the commands.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) region: String,
    /// URL of the services, if it is not AWS's own.
    pub(crate) endpoint: Option<String>,
    pub(crate) stack: String,
}

impl Aws {
    /// Returns `aws {words} --region {region}`. Quotes words where a shell requires it.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        self.raw(&words.join(" "))
    }

    /// Returns the same command line for words that are quoted already.
    pub(crate) fn raw(&self, words: &str) -> String {
        let endpoint = self
            .endpoint
            .as_ref()
            .map(|url| format!(" --endpoint-url {}", quoted(url)));
        format!(
            "aws {words} --region {}{}",
            quoted(&self.region),
            endpoint.unwrap_or_default()
        )
    }

    /// Returns a command that prints an output of the stack. It can be embedded in a single-quoted word.
    pub(crate) fn output_of_stack(&self, output: &str) -> String {
        let query = format!("Stacks[0].Outputs[?OutputKey=='{output}'].OutputValue");
        let stack = quoted(&self.stack);
        self.raw(&format!(
            "cloudformation describe-stacks --stack-name {stack} --query \"{query}\" --output text"
        ))
    }

    /// Returns a command that sets a variable of a function. It reads the other variables without showing them.
    pub(crate) fn set_variable(&self, function: &str, name: &str, value: &str) -> String {
        let value = Value::from(value).to_string();
        // Escaped for a JMESPath literal within a single-quoted word of a shell.
        self.merge_variable(
            function,
            name,
            &value.replace('`', "\\`").replace('\'', r"'\''"),
        )
    }

    /// Returns a command that sets a variable of a function to the output of another command.
    pub(crate) fn set_variable_to(&self, function: &str, name: &str, command: &str) -> String {
        self.merge_variable(function, name, &spliced(command))
    }

    /// Returns a command that prints the URL of a queue. It can be embedded in a single-quoted word if the name is
    /// valid in SQS.
    pub(crate) fn url_of_queue(&self, name: &str) -> String {
        self.raw(&format!(
            "sqs get-queue-url --queue-name {} --query QueueUrl --output text",
            quoted(name)
        ))
    }

    fn merge_variable(&self, function: &str, name: &str, value: &str) -> String {
        let merged = format!(
            "{{Variables: merge(not_null(Environment.Variables, `{{}}`), `{{\"{name}\":{value}}}`)}}"
        );
        let function = quoted(function);
        let read = format!(
            "lambda get-function-configuration --function-name {function} --query '{merged}' --output json"
        );
        let read = self.raw(&read);
        self.raw(&format!(
            "lambda update-function-configuration --function-name {function} --environment \"$({read})\""
        ))
    }
}

/// Returns the output of a command as a JSON string, for use within a single-quoted word.
pub(crate) fn spliced(command: &str) -> String {
    format!("\"'\"$({command})\"'\"")
}

/// Quotes a word for a shell, if necessary.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns a target for tests.
#[cfg(test)]
pub(crate) fn somewhere() -> Aws {
    Aws {
        region: "eu-west-1".to_owned(),
        endpoint: None,
        stack: "cloakroom".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Returns the words of a command after a shell has parsed it.
    fn words(command: &str) -> Vec<String> {
        let script = format!(
            "aws() {{ case $1 in cloudformation) echo out;; *) printf '%s\\n' \"$@\";; esac; }}; {command}"
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{command}");
        String::from_utf8(output.stdout)
            .expect("text")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn words_come_through_a_shell_as_they_are() {
        let all = ["s3api", "put", "it's", r#"{"a": "$HOME `x`"}"#, ""];
        let mut want: Vec<_> = all.iter().map(|word| (*word).to_owned()).collect();
        want.extend(["--region".to_owned(), "eu-west-1".to_owned()]);
        assert_eq!(words(&somewhere().run(&all)), want);
    }

    #[test]
    fn services_that_are_not_the_real_ones_are_named() {
        let there = Aws {
            endpoint: Some("http://127.0.0.1:4566".to_owned()),
            ..somewhere()
        };
        let command = "aws sqs list-queues --region eu-west-1 --endpoint-url http://127.0.0.1:4566";
        assert_eq!(there.run(&["sqs", "list-queues"]), command);
    }

    #[test]
    fn a_variable_is_merged_into_those_that_are_there() {
        let command = somewhere().set_variable("f", "A", "it's `b`");
        let said = words(&command).join(" ");
        assert!(
            said.contains(r#"merge(not_null(Environment.Variables, `{}`), `{"A":"it's \`b\`"}`)"#),
            "{said}"
        );
        let said =
            words(&somewhere().set_variable_to("f", "A", &somewhere().output_of_stack("Table")))
                .join(" ");
        assert!(said.contains(r#"`{"A":"out"}`"#), "{said}");
    }
}
