//! `serin`, run on the rules of the trial as its README has people run it in a container.

mod support;

use support::{Folder, Run};

const README: &str = include_str!("../../manifests/docker-compose/README.md");
const RULES: &str = include_str!("../../manifests/docker-compose/serin.yaml");
const KEY: (&str, &str) = ("SERIN_KEY", "known-to-everybody-who-tries-serin");

/// Runs the one line of the README that gives the command these first words.
fn run(first: &str, rules: &str) -> Run {
    let lines = README.lines().filter_map(|line| line.strip_prefix("docker compose run --rm --build serin "));
    let lines: Vec<_> = lines.filter(|line| line.starts_with(first)).collect();
    let [line] = lines[..] else { panic!("{lines:?} begin with {first}") };
    let words: Vec<_> = line.split(' ').collect();
    Folder::with(&[("serin.yaml", rules)]).serin_with(&words, b"", &[KEY])
}

#[test]
fn the_rules_are_sound_and_the_mistake_is_found_in_its_place() {
    run("check", RULES).ends_with(0);
    let wrong = RULES.replace("weight: 10}\n", "wieght: 10}\n");
    let place = wrong.lines().position(|line| line.contains("v2: {cluster: v2, wieght")).unwrap() + 1;
    let found = run("check", &wrong).ends_with(1);
    assert!(found.out.contains(&format!("serin.yaml:{place}:")), "{}", found.out);
}

#[test]
fn a_link_leads_to_the_shop() {
    let made = run("token", RULES).ends_with(0);
    assert!(made.out.contains("\nlink     http://localhost:10000/?canary=v2.e"), "{}", made.out);
    assert!(made.out.contains("then     a browser that has shown it gets v2 for another 8 h"), "{}", made.out);
}
