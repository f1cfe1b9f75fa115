//! The commands that mend, as they are typed: `aws …`, whole, with the region and the names of the deployment.
//!
//! The AWS CLI takes credentials from where the SDK takes them. Region and endpoint are said: its version 1 does not read
//! `AWS_REGION`, nor, for SQS in some regions, `AWS_ENDPOINT_URL`.

use serde_json::Value;

/// Where commands go.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) region: String,
    /// The URL of the services, where they are not AWS's own.
    pub(crate) endpoint: Option<String>,
    pub(crate) stack: String,
}

impl Aws {
    /// `aws {words} --region {region}`, each word quoted where a shell would take it apart.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        self.raw(&words.join(" "))
    }

    /// The same of what is written for a shell already.
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

    /// For the inside of a single-quoted word: what the stack says that it made.
    pub(crate) fn output_of_stack(&self, output: &str) -> String {
        let query = format!("Stacks[0].Outputs[?OutputKey=='{output}'].OutputValue");
        let stack = quoted(&self.stack);
        self.raw(&format!(
            "cloudformation describe-stacks --stack-name {stack} --query \"{query}\" --output text"
        ))
    }

    /// Sets one variable of a function, and leaves the others, which the command reads rather than shows.
    pub(crate) fn set_variable(&self, function: &str, name: &str, value: &str) -> String {
        let value = Value::from(value).to_string();
        // In a single-quoted word of a shell, in a literal of JMESPath.
        self.merge_variable(
            function,
            name,
            &value.replace('`', "\\`").replace('\'', r"'\''"),
        )
    }

    /// Sets one variable of a function to what a command prints.
    pub(crate) fn set_variable_to(&self, function: &str, name: &str, command: &str) -> String {
        self.merge_variable(function, name, &spliced(command))
    }

    /// The URL of a queue, by its name: for the inside of a single-quoted word, if the name is one that SQS gives.
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

/// The output of a command as a JSON string, in the middle of a single-quoted word.
pub(crate) fn spliced(command: &str) -> String {
    format!("\"'\"$({command})\"'\"")
}

/// A word as a shell takes it for one.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where tests are.
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

    /// What a shell makes of a command, with `aws` a function that prints its words.
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
