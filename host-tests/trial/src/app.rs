//! The app of the trial: one nginx for each version, with the server block of the trial.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::Server;

/// Starts nginx with one version of the app, which is in the folder `name` of `folder`; beside it are `nginx.conf` and,
/// from now on, what nginx writes.
pub(crate) async fn start(nginx: &Path, folder: &Path, name: &str) -> Result<Server> {
    let own = folder.join(format!("nginx-{name}"));
    fs::create_dir_all(&own)?;
    let block = fs::read_to_string(folder.join("nginx.conf")).context("the app has no nginx.conf")?;
    let command = |address: SocketAddr| {
        let site = own.join("site.conf");
        fs::write(&site, server_block(&block, address, &folder.join(name))?)?;
        let main = own.join("nginx.conf");
        fs::write(&main, around(&site))?;
        let mut command = Command::new(nginx);
        command.arg("-p").arg(&own).arg("-c").arg(&main).args(["-e", "stderr"]);
        Ok(command)
    };
    let own_name = own.display().to_string();
    fs::write(folder.join(name).join(OWNER), &own_name)?;
    Server::start(&own.join("log"), &format!("/{OWNER}"), |reply| reply.text() == own_name, command).await
}

/// A file that tells whose server this is.
const OWNER: &str = "owner.txt";

/// The trial's server block with another address and folder than in its container.
fn server_block(block: &str, address: SocketAddr, root: &Path) -> Result<String> {
    let mut block = block.to_owned();
    for (found, other) in
        [("listen 8080;", format!("listen {address};")), ("root /app;", format!("root {};", root.display()))]
    {
        ensure!(block.matches(found).count() == 1, "nginx.conf does not say `{found}` once");
        block = block.replace(found, &other);
    }
    Ok(block)
}

/// What the image of nginx has around a server block, with everything that is written in one folder.
fn around(site: &Path) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {kind};\n"));
    format!(
        "daemon off; master_process off; pid pid; error_log stderr warn;\n\
         events {{}}\n\
         http {{\n\
         types {{ text/html html; text/css css; image/svg+xml svg; application/javascript js; application/json json; }}\n\
         default_type application/octet-stream; access_log off; {}\
         include {};\n\
         }}\n",
        paths.concat(),
        site.display()
    )
}
