//! `serin`: checks, explains, simulates and compares rules documents.

fn main() -> std::process::ExitCode {
    serin_cli::main()
}
