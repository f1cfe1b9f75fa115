//! Checks that the files of a crate don't import each other in a circle.
//!
//! A `pub use` does not count as an import: a module may re-export what its children define. Tests are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cloakroom_tests::root;

/// Path of a module below its crate's root: `["transition", "claim"]`.
type Module = Vec<String>;

/// A path as written in code: `["super", "Event"]`.
type Name = Vec<String>;

/// Relevant parts of a module.
#[derive(Default)]
struct Source {
    /// All paths that the module uses.
    names: Vec<Name>,
    /// Names that the module imports or re-exports, with their paths.
    aliases: BTreeMap<String, Name>,
}

/// Modules of a crate that have their own files.
struct Crate(BTreeMap<Module, Source>);

impl Crate {
    fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = vec![(src.to_owned(), Module::new())];
        while let Some((folder, module)) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                let stem = path.file_stem().and_then(|it| it.to_str()).expect("UTF-8");
                if stem == "tests" || stem == "testing" {
                    continue;
                }
                let below = [&module[..], &[stem.to_owned()]].concat();
                if path.is_dir() {
                    folders.push((path, below));
                } else if path.extension().is_some_and(|it| it == "rs") && stem != "main" {
                    let module = if matches!(stem, "lib" | "mod") {
                        module.clone()
                    } else {
                        below
                    };
                    modules.insert(
                        module,
                        Source::parse(&fs::read_to_string(&path).expect("text")),
                    );
                }
            }
        }
        Self(modules)
    }

    /// Returns the module of this crate that defines the item at a path.
    fn definer(&self, from: &Module, name: &Name, depth: usize) -> Option<Module> {
        let mut module = from.clone();
        let mut rest = &name[..];
        match rest.first()?.as_str() {
            "crate" => module.clear(),
            "super" => _ = module.pop()?,
            "self" => {}
            child
                if self
                    .0
                    .contains_key(&[&module[..], &[child.to_owned()]].concat()) =>
            {
                module.push(child.to_owned());
            }
            _ => return None,
        }
        rest = &rest[1..];
        while let Some((first, more)) = rest.split_first() {
            let child = [&module[..], std::slice::from_ref(first)].concat();
            if first == "super" {
                module.pop()?;
            } else if self.0.contains_key(&child) {
                module = child;
            } else {
                let alias = self.0[&module].aliases.get(first).filter(|_| depth < 8);
                let defined = alias.and_then(|alias| self.definer(&module, alias, depth + 1));
                return Some(defined.unwrap_or(module));
            }
            rest = more;
        }
        Some(module)
    }

    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let imported = |(module, source): (&'_ Module, &'_ Source)| -> BTreeSet<Module> {
            let definers = source
                .names
                .iter()
                .filter_map(|name| self.definer(module, name, 0));
            definers.filter(|definer| definer != module).collect()
        };
        self.0
            .iter()
            .map(|(module, source)| (module, imported((module, source))))
            .collect()
    }

    /// Returns all imports that are part of a circle.
    fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let reaches = |from: &Module, to: &Module| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = next.pop() {
                if &module == to {
                    return true;
                }
                if seen.insert(module.clone()) {
                    next.extend(imports.get(&module).into_iter().flatten().cloned());
                }
            }
            false
        };
        let all = imports
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| (*from, to)));
        all.filter(|(from, to)| reaches(to, from))
            .map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::")))
            .collect()
    }
}

impl Source {
    fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        let code: Vec<_> = lines.collect();
        // Tests are at the end of a file.
        let code = code.join("\n");
        let code = code
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let mut source = Self::default();
        // Depth of braces at which each inline module starts.
        let (mut depth, mut modules) = (0_usize, vec![]);
        for statement in code
            .split_inclusive([';', '{', '}'])
            .fold(vec![], join_uses)
        {
            let trimmed = statement.trim();
            let begins = trimmed.split_whitespace().rev().nth(2) == Some("mod");
            let own = |name: Name| outside(name, modules.len());
            match trimmed.split_once("use ") {
                Some((head, tree)) if head.is_empty() || head.trim_end().ends_with(visibility) => {
                    for (name, alias) in expand(tree.trim_end_matches(';')) {
                        let Some(name) = own(name) else { continue };
                        if !head.contains("pub") {
                            source.names.push(name.clone());
                        }
                        source.aliases.insert(alias, name);
                    }
                    continue;
                }
                _ => source
                    .names
                    .extend(paths(&statement).into_iter().filter_map(own)),
            }
            if statement.ends_with('{') {
                depth += 1;
                if begins {
                    modules.push(depth);
                }
            } else if statement.ends_with('}') {
                if modules.last() == Some(&depth) {
                    modules.pop();
                }
                depth = depth.saturating_sub(1);
            }
        }
        source
    }
}

/// Converts a path in a nested inline module to one in the file's module. `within` is the depth. Returns `None` if the
/// path does not leave the file.
fn outside(mut name: Name, within: usize) -> Option<Name> {
    if name.first().is_some_and(|first| first == "super") && within > 0 {
        let up = name.iter().take_while(|part| *part == "super").count();
        if up <= within {
            return None;
        }
        name.drain(..within);
    }
    Some(name)
}

/// Returns true for the last character of the code that may precede `use`.
fn visibility(c: char) -> bool {
    c == ')' || c == 'b' || c == ']' || c == '}'
}

/// Joins the pieces of a `use` with braces.
fn join_uses(mut pieces: Vec<String>, piece: &str) -> Vec<String> {
    let open = pieces.last().is_some_and(|last| {
        let is_use = last.trim_start().starts_with("use ")
            || last.contains("pub use ")
            || last.contains(") use ");
        is_use && !last.trim_end().ends_with(';')
    });
    if open {
        pieces.last_mut().expect("it is open").push_str(piece);
    } else {
        pieces.push(piece.to_owned());
    }
    pieces
}

/// Expands a tree: `a::{b, c as d}` becomes `a::b` and `a::c`, with the names `b` and `d`.
fn expand(tree: &str) -> Vec<(Name, String)> {
    let tree = tree.trim();
    if let Some((prefix, group)) = tree.split_once('{') {
        let group = group.trim_end().trim_end_matches('}');
        let prefix: Name = segments(prefix);
        let (mut parts, mut depth) = (vec![String::new()], 0);
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(String::new());
                    continue;
                }
                _ => {}
            }
            parts.last_mut().expect("there is one").push(c);
        }
        let parts = parts.iter().filter(|part| !part.trim().is_empty());
        return parts
            .flat_map(|part| expand(part))
            .map(|(name, alias)| ([&prefix[..], &name[..]].concat(), alias))
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let name = segments(path);
    let last = name.last().cloned().unwrap_or_default();
    vec![(
        name,
        if alias.is_empty() {
            last
        } else {
            alias.trim().to_owned()
        },
    )]
}

fn segments(path: &str) -> Name {
    path.split("::")
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Returns the paths below `crate` and `super` that are not part of a `use`.
fn paths(code: &str) -> Vec<Name> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c));
    words
        .filter(|word| word.starts_with("crate::") || word.starts_with("super::"))
        .map(segments)
        .collect()
}

#[test]
fn no_file_imports_another_in_a_circle() {
    let mut found = vec![];
    for folder in ["crates", "functions"] {
        for entry in fs::read_dir(root().join(folder))
            .expect("a folder")
            .flatten()
        {
            let src = entry.path().join("src");
            if src.is_dir() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let circles = Crate::read(&src).circles();
                found.extend(
                    circles
                        .into_iter()
                        .map(|circle| format!("{name}: {circle}")),
                );
            }
        }
    }
    assert!(
        found.is_empty(),
        "break these circles:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let of = |text| Source::parse(text);
    let crates = Crate(BTreeMap::from([
        (vec![], of("mod a;\nmod b;\npub use a::One;\n")),
        (module("a"), of("use crate::b::{Two, Three as Four};\n")),
        (module("b"), of("fn f() -> crate::One { g() }\n")),
    ]));
    assert_eq!(crates.circles(), ["a -> b", "b -> a"]);
}
