//! The command line.

use clap::{ColorChoice, Parser, Subcommand};

use crate::commands::{check, completions, diff, explain, fields, simulate, token};

/// Check, explain and compare the rules documents of Serin, canary routing inside Envoy.
#[derive(Parser)]
#[command(name = "serin", version, max_term_width = 100, after_help = help::SERIN, after_long_help = help::SERIN)]
pub(crate) struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Find mistakes, and what is valid and surely not meant.
    #[command(long_about = help::ABOUT_CHECK, after_help = help::CHECK, after_long_help = help::CHECK)]
    Check(check::Args),
    /// Tell which version a request gets, and why.
    ///
    /// Shows what covers the request, every layer of the decision with what it looked at, and the headers and cookies that
    /// would be written.
    #[command(after_help = help::EXPLAIN, after_long_help = help::EXPLAIN)]
    Explain(explain::Args),
    /// Send visitors through the rules, and count who got what.
    ///
    /// Visitors keep their cookies, or carry an id of their own where the rollout asks for one.
    #[command(after_help = help::SIMULATE, after_long_help = help::SIMULATE)]
    Simulate(simulate::Args),
    /// Tell who gets another version when one document follows another.
    ///
    /// Exactly, over all slots: from which version to which, by rollout, and by the segments of rules. Held versions, overrides
    /// and guards are left out.
    #[command(after_help = help::DIFF, after_long_help = help::DIFF)]
    Diff(diff::Args),
    /// Make an override token, with the link and the curl line to use it.
    ///
    /// For rollouts with `trust: signed`. It is signed with the first key of the document, from the environment if that is where
    /// the document has it from.
    #[command(after_help = help::TOKEN, after_long_help = help::TOKEN)]
    Token(token::Args),
    /// Tell what may stand where in a document.
    #[command(after_help = help::FIELDS, after_long_help = help::FIELDS)]
    Fields(fields::Args),
    /// Print what a shell needs to complete commands and options.
    #[command(after_help = help::COMPLETIONS, after_long_help = help::COMPLETIONS)]
    Completions(completions::Args),
}

/// What stands behind the options. Every line that begins with `$` is run by a test.
mod help {
    pub(super) const SERIN: &str = "\
A document to start from:
  rollouts:
    shop:
      match:                                 # which requests; leave out for all
        - {hosts: [shop.example.com], path: {prefix: /}}
      stable: v1
      versions:
        v1: {cluster: shop-v1}
        v2: {cluster: shop-v2, weight: 10}   # 10 of 100 visitors, who keep it
      override: {header: x-canary}           # x-canary: v2 asks for v2
      rules:                                 # before weights, the first that holds
        - when: {headers: [{name: x-team, in: [qa, dev]}]}
          use: v2
  headers: {cluster: x-canary-cluster}       # for routes with cluster_header; stable gets
                                             # none without mark_stable: true

`serin fields` tells all that may stand in one.

Examples:
  $ serin check rules.yaml
  $ serin explain rules.yaml --host shop.example.com

Exit codes: 0 all is well; 1 what was asked has turned out bad; 2 it could not be asked.";

    pub(super) const ABOUT_CHECK: &str = "\
Find mistakes, and what is valid and surely not meant.

Reads rules documents in YAML or JSON, and finds them inside of Istio's WasmPlugin and TrafficExtension, Envoy Gateway's \
EnvoyExtensionPolicy, and configurations of Envoy. Exits with 1 if there are mistakes.";

    pub(super) const CHECK: &str = "\
Examples:
  $ serin check rules.yaml
  $ serin check --strict --allow open-query rules.yaml wasmplugin.yaml
  $ cat rules.yaml | serin check -
  $ serin check --output json rules.yaml

Exit codes: 0 no mistakes; 1 mistakes, or, with --strict, warnings; 2 a file cannot be read.";

    pub(super) const EXPLAIN: &str = "\
Examples:
  $ serin explain rules.yaml --host shop.example.com -H 'x-canary: v2'
  $ serin explain rules.yaml --url https://shop.example.com/cart --seed 7
  $ serin explain rules.yaml curl https://shop.example.com/ -b session=4711
  $ serin explain rules.yaml --path / --at 2026-12-24T18:00:00Z --output json

Exit codes: 0 explained, also where a rollout has a mistake and stable serves; 1 the document as a whole cannot be used; 2 it \
could not be asked.";

    pub(super) const SIMULATE: &str = "\
Examples:
  $ serin simulate rules.yaml
  $ serin simulate rules.yaml --rollout shop --visitors 2000 --requests 5
  $ serin simulate rules.yaml --host shop.example.com -H 'x-region: eu'

Exit codes: 0 done; 1 the document, or a rollout that was visited, cannot be used, or what --rollout or the request names was \
not reached; 2 it could not be asked.";

    pub(super) const DIFF: &str = "\
Examples:
  $ serin diff old.yaml new.yaml
  $ serin diff old.yaml new.yaml --max-moved 25%
  $ cat old.yaml | serin diff - new.yaml --output json

Exit codes: 0 compared, and --max-moved holds; 1 it does not, or a document has mistakes; 2 a file cannot be read.";

    pub(super) const TOKEN: &str = "\
Examples:
  $ export SERIN_KEY_1='the secret that the proxies have'
  $ serin token signed.yaml --version v2 --ttl 8h
  $ serin token signed.yaml --version v2 --ttl 30m --url https://a.example.com/

Exit codes: 0 made; 1 the document as a whole cannot be used; 2 it could not be asked: there is no such rollout, version or \
key, or the rollout or the key has a mistake.";

    pub(super) const FIELDS: &str = "\
Examples:
  $ serin fields
  $ serin fields rollouts.shop.match
  $ serin fields rollouts.shop.sticky.hold

Exit codes: 0 told; 2 there is no such place.";

    pub(super) const COMPLETIONS: &str = "\
Examples:
  $ serin completions bash > serin.bash
  $ serin completions zsh > _serin
  $ serin completions fish > serin.fish";
}
