//! Examples: curl command lines that submit a command.

use serde_json::{Map, Value};

use super::{Command, Takes};

impl Command {
    /// Sets the example: a query string (empty for none), and the options of curl that contain the body.
    ///
    /// Without this, the example is generated from the schema of the payload.
    #[must_use]
    pub fn example(mut self, query: &'static str, options: &'static str) -> Self {
        self.example = Some((query, options));
        self
    }

    /// Returns a payload that its schema may allow: the schema's first example, or a value for each required member.
    pub fn example_payload(&self) -> Value {
        let schema = self.schema();
        example_of(&schema, &schema)
    }

    /// Returns the query string of its example; empty without one.
    pub fn example_query(&self) -> &'static str {
        self.example.map_or("", |(query, _)| query)
    }

    /// Returns a curl command line that submits the command to the service at this base URL, which may begin with a variable of
    /// the shell.
    pub fn curl(&self, base_url: &str) -> String {
        let (query, options) = match (self.example, self.takes) {
            (Some((query, options)), _) => (query, options.to_owned()),
            (None, Takes::Json) => {
                let body = self.example_payload().to_string().replace('\'', r"'\''");
                (
                    "",
                    format!("-H 'Content-Type: application/json' -d '{body}'"),
                )
            }
            (None, Takes::Binary(types)) => {
                let media_type = types.first().copied().unwrap_or("application/octet-stream");
                (
                    "",
                    format!("-H 'Content-Type: {media_type}' --data-binary @FILE"),
                )
            }
        };
        let url = format!("{base_url}/commands/{}", self.name);
        match query {
            // A shell expands a variable in double quotes only.
            "" if url.starts_with('$') => format!("curl -i \"{url}\" {options}"),
            "" => format!("curl -i {url} {options}"),
            query => format!("curl -i \"{url}?{query}\" {options}"),
        }
    }
}

/// Returns the first example of a schema, or an object with a value for each required member. `root` contains the
/// definitions of other types.
fn example_of(root: &Value, schema: &Value) -> Value {
    if let Some(example) = first_of(schema) {
        return example.clone();
    }
    let names = schema["required"].as_array().into_iter().flatten();
    let members = names.filter_map(Value::as_str).map(|name| {
        let member = &schema["properties"][name];
        (name.to_owned(), value_of(root, member))
    });
    Value::Object(members.collect::<Map<_, _>>())
}

/// Returns an example value of the type that a member's schema names.
fn value_of(root: &Value, schema: &Value) -> Value {
    let reference = schema["$ref"].as_str();
    let definition = reference.and_then(|it| root.pointer(it.strip_prefix('#')?));
    // A member's own examples stand beside the reference to its type.
    let example = first_of(schema).or_else(|| first_of(definition?));
    let schema = definition.unwrap_or(schema);
    match (example, schema["type"].as_str()) {
        (Some(example), _) => example.clone(),
        (None, Some("integer" | "number")) => number_of(schema),
        (None, Some("boolean")) => true.into(),
        (None, Some("array")) => Value::Array(vec![]),
        (None, Some("object")) => example_of(root, schema),
        (None, _) => "…".into(),
    }
}

/// Returns the first of the examples or of the only values that a schema names. The values of an enum whose variants have
/// documentation are alternatives.
fn first_of(schema: &Value) -> Option<&Value> {
    let mut places = ["/examples/0", "/enum/0", "/oneOf/0/const"].into_iter();
    places.find_map(|place| schema.pointer(place))
}

/// Returns 1 in place of the lowest number of a signed type.
fn number_of(schema: &Value) -> Value {
    let bound = |name: &str| schema[name].as_f64();
    let is_high = bound("maximum").is_none_or(|maximum| maximum >= 1.0);
    match schema.get("minimum") {
        Some(minimum) if !is_high || minimum.as_f64() >= Some(0.0) => minimum.clone(),
        _ => 1.into(),
    }
}
