//! The Prometheus of the trial, on the Envoy that runs here.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use serin_envoy::Connection;

use crate::FOLDER;
use crate::server::Server;
use crate::trial::Trial;

/// A running Prometheus that scrapes once a second.
#[derive(Debug)]
pub struct Prometheus {
    server: Server,
}

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, with its name as `__name__` if it has one.
    pub labels: BTreeMap<String, String>,
    /// Its values with their moments (seconds since 1970), oldest first.
    pub values: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts the Prometheus of the trial, from this binary.
    ///
    /// # Errors
    /// If it cannot be started, or if its configuration is not as expected.
    pub async fn start(binary: &Path, trial: &Trial) -> Result<Self> {
        let folder = trial.folder().join("prometheus");
        fs::create_dir_all(&folder)?;
        let source = Path::new(FOLDER).join("prometheus");
        fs::copy(source.join("alerts.yml"), folder.join("alerts.yml"))?;
        let mut config = fs::read_to_string(source.join("prometheus.yml"))?;
        let admin = trial.envoy().admin_address().to_string();
        for (text, other) in [
            ("scrape_interval: 5s", "scrape_interval: 1s"),
            ("evaluation_interval: 5s", "evaluation_interval: 1s"),
            ("envoy:9901", &admin),
        ] {
            ensure!(config.matches(text).count() == 1, "prometheus.yml does not say `{text}` once");
            config = config.replace(text, other);
        }
        let file = folder.join("prometheus.yml");
        fs::write(&file, config)?;
        let command = |address: SocketAddr| {
            let mut command = Command::new(binary);
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
            command.arg(format!("--web.listen-address={address}"));
            Ok(command)
        };
        let own = folder.display().to_string();
        Ok(Self {
            server: Server::start(
                &folder.join("log"),
                "/api/v1/status/flags",
                |reply| reply.text().contains(&own),
                command,
            )
            .await?,
        })
    }

    /// How it ended by itself, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.server.ended()
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What a query gives now (`/api/v1/query`); a vector or a scalar.
    ///
    /// # Errors
    /// If Prometheus refuses the query, with what it says.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        samples(&self.get("query", &[("query", query)]).await?)
    }

    /// What a query gives from one moment to another, in steps of seconds (`/api/v1/query_range`).
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub async fn query_range(&self, query: &str, from: f64, to: f64, step: f64) -> Result<Vec<Sample>> {
        let [from, to, step] = [from, to, step].map(|number| number.to_string());
        let parameters = [("query", query), ("start", &from), ("end", &to), ("step", &step)];
        samples(&self.get("query_range", &parameters).await?)
    }

    /// The field `data` of an answer of the HTTP API, such as that of `rules` or `targets`.
    ///
    /// # Errors
    /// If it does not answer, or not with `success`.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let address = self.address();
        let url = url::Url::parse_with_params(&format!("http://{address}/api/v1/{path}"), parameters)?;
        let request = &url[url::Position::BeforePath..];
        let reply = Connection::to(address).get(hyper::Request::get(request)).await?;
        let mut answer: Value =
            serde_json::from_slice(&reply.body).with_context(|| format!("no JSON: {}", reply.text()))?;
        if answer["status"] != "success" {
            bail!("{request}: {answer}");
        }
        Ok(answer["data"].take())
    }
}

fn samples(data: &Value) -> Result<Vec<Sample>> {
    let pair = |value: &Value| {
        let number = value[1].as_str().and_then(|text| text.parse().ok());
        Some((value[0].as_f64()?, number?))
    };
    if data["resultType"] == "scalar" {
        let value = pair(&data["result"]).with_context(|| format!("no sample: {data}"))?;
        return Ok(vec![Sample { labels: BTreeMap::new(), values: vec![value] }]);
    }
    let sample = |series: &Value| {
        let labels = series["metric"].as_object()?.iter();
        let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let values = series["values"].as_array().cloned().unwrap_or_else(|| vec![series["value"].clone()]);
        Some(Sample { labels: labels.collect::<Option<_>>()?, values: values.iter().map(pair).collect::<Option<_>>()? })
    };
    let series = data["result"].as_array().and_then(|all| all.iter().map(sample).collect::<Option<_>>());
    series.with_context(|| format!("no series: {data}"))
}
