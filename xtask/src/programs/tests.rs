use std::process::Stdio;

use super::*;

const NGINX: &str = "nginx version: nginx/1.22.1";
const CHROMIUM_156: &str = "Chromium 156.0.8078.108 built on Debian GNU/Linux 12 (bookworm)";
const CHROME_142: &str = "Google Chrome 142.0.7444.59";
const DRIVER_156: &str = "ChromeDriver 156.0.8078.108 (730482a940ce-refs/branch-heads/8078@{#2244})";
const DRIVER_142: &str = "ChromeDriver 142.0.7444.59 (4b8b6cf1b2d9)";

/// Programs by place and answer, variables by name and place, and the places of what is found, or the error.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], Result<&'a [&'a str], &'a str>);

/// The path has the folders `a` and `b`.
fn check(title: &str, cases: &[Case<'_>]) {
    let group = GROUPS.iter().find(|group| group.title == title).unwrap();
    for (programs, variables, expected) in cases {
        let place = tempfile::tempdir().unwrap();
        programs.iter().for_each(|(path, answer)| write_program(&place.path().join(path), answer));
        let variable = |name: &str| {
            let (_, path) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(if path.is_empty() { path.into() } else { place.path().join(path).into_os_string() })
        };
        let folders = ["a", "b"].map(|folder| place.path().join(folder));
        let found = group.named(variable).map(|named| {
            let target = place.path().join("target");
            group.within(&folders, &named).or_else(|| group.unpacked(&target, &named)).unwrap_or_default()
        });
        let shown = format!("{programs:?} {variables:?}: {found:?}");
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<PathBuf> = found.into_iter().map(|program| program.path).collect();
                let expected: Vec<PathBuf> = expected.iter().map(|path| place.path().join(path)).collect();
                assert_eq!(found, expected, "{shown}");
            }
            (Err(error), Err(expected)) => assert!(format!("{error:#}").contains(expected), "{shown}"),
            _ => panic!("{shown}"),
        }
    }
}

/// Has another process write the program: one that is started by another thread meanwhile would hold a file that this process
/// has open for writing, and then it cannot be run.
fn write_program(path: &Path, answer: &str) {
    let script = format!("#!/bin/sh\necho '{answer}' >&2\n");
    let write = "mkdir -p \"$(dirname \"$1\")\" && printf %s \"$2\" > \"$1\" && chmod +x \"$1\"";
    let mut sh = Command::new("sh");
    assert!(sh.args(["-c", write, "sh"]).arg(path).arg(script).stdin(Stdio::null()).status().unwrap().success());
}

#[test]
fn a_program_is_the_named_one_or_on_the_path_or_unpacked() {
    let unpacked = "target/tools/debian/nginx/bin/nginx";
    check(
        "nginx",
        &[
            (&[], &[], Ok(&[])),
            (&[(unpacked, NGINX)], &[], Ok(&[unpacked])),
            (&[(unpacked, NGINX), ("b/nginx", NGINX)], &[], Ok(&["b/nginx"])),
            (&[("a/nginx", NGINX), ("b/nginx", NGINX)], &[], Ok(&["a/nginx"])),
            (&[("a/nginx", "segmentation fault"), ("b/nginx", NGINX)], &[], Ok(&["b/nginx"])),
            (&[("a/nginx", NGINX), ("c/mine", NGINX)], &[("NGINX", "c/mine")], Ok(&["c/mine"])),
            (&[("a/nginx", NGINX)], &[("NGINX", "")], Ok(&["a/nginx"])),
            (&[("a/nginx", NGINX)], &[("NGINX", "c/gone")], Err("NGINX must name an executable nginx: cannot run ")),
            (&[("a/nginx", NGINX), ("c/x", "caddy 2")], &[("NGINX", "c/x")], Err("c/x -v` says: caddy 2")),
        ],
    );
}

#[test]
fn a_browser_comes_with_the_driver_that_fits() {
    let (chromium, driver) =
        ("target/tools/debian/chromium/bin/chromium", "target/tools/debian/chromium/bin/chromedriver");
    let unpacked = [(chromium, CHROMIUM_156), (driver, DRIVER_156)];
    let beside = |others: &[(&'static str, &'static str)]| [&unpacked[..], others].concat();
    check(
        "Chromium with ChromeDriver",
        &[
            (&[("a/chromium", CHROMIUM_156)], &[], Ok(&[])),
            (&[("a/chromium", CHROMIUM_156), ("a/chromedriver", DRIVER_142)], &[], Ok(&[])),
            (
                &[("a/chromium", CHROMIUM_156), ("a/google-chrome", CHROME_142), ("b/chromedriver", DRIVER_142)],
                &[],
                Ok(&["a/google-chrome", "b/chromedriver"]),
            ),
            (&beside(&[("a/google-chrome", CHROME_142)]), &[], Ok(&[chromium, driver])),
            (&beside(&[("c/mine", CHROMIUM_156)]), &[("CHROMIUM", "c/mine")], Ok(&["c/mine", driver])),
            (&beside(&[("c/mine", CHROME_142)]), &[("CHROMIUM", "c/mine")], Ok(&[])),
            (
                &[("c/mine", CHROME_142), ("c/driver", DRIVER_156)],
                &[("CHROMIUM", "c/mine"), ("CHROMEDRIVER", "c/driver")],
                Err("CHROMIUM names Chromium 142.0.7444.59, CHROMEDRIVER names ChromeDriver 156.0.8078.108: the first"),
            ),
        ],
    );
}

#[test]
fn tests_are_told_of_what_was_found_and_people_of_what_was_not() {
    let nginx = Program { kind: &GROUPS[0].kinds[0], path: "/opt/nginx".into(), version: "1.22.1".into() };
    let programs = Programs { found: vec![nginx], missing: vec![&GROUPS[2]] };
    let mut command = Command::new("true");
    programs.tell(&mut command);
    let told: Vec<_> = command.get_envs().collect();
    let others = ["PROMETHEUS", "PROMTOOL"].map(|name| (name, None));
    let expected = [("CHROMEDRIVER", None), ("CHROMIUM", None), ("NGINX", Some("/opt/nginx")), others[0], others[1]];
    assert_eq!(told, expected.map(|(name, path)| (name.as_ref(), path.map(AsRef::as_ref))));
    assert_eq!(
        programs.skipped().collect::<Vec<_>>(),
        ["the tests in a browser, since Chromium with ChromeDriver is missing"]
    );
}

#[test]
fn prometheus_and_its_tool_are_told_by_the_first_lines_of_their_answers() {
    let answer = "prometheus, version 2.42.0+ds (branch: debian/sid)\n  go version: go1.19.8";
    let (server, tool) = (("a/prometheus", answer), ("b/promtool", "promtool, version 2.42.0+ds"));
    check("Prometheus", &[(&[server, tool], &[], Ok(&["a/prometheus", "b/promtool"]))]);
    check("Prometheus", &[(&[server, ("b/promtool", answer)], &[], Ok(&[]))]);
}
