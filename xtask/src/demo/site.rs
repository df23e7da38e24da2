//! The stage: two upstreams, Envoy between them and a crowd of visitors, and the rules documents that are tried on it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serin_envoy::{Crowd, Envoy, Setup, Upstreams, manifest};

use crate::shell::quoted;

/// The visitors' site.
pub(crate) const SHOP: &str = "shop.example.com";
/// A second site, with a rollout of its own in one scene.
pub(crate) const BLOG: &str = "blog.example.com";

/// Everything that runs.
pub(crate) struct Site {
    pub(crate) envoy: Envoy,
    pub(crate) crowd: Crowd,
    /// The document of the shipped manifest.
    document: Value,
    _upstreams: Upstreams,
}

impl Site {
    /// Starts it all, with the shipped document.
    pub(crate) async fn open(setup: &Setup, visitors: usize) -> Result<Self> {
        let document = manifest::document()?;
        let upstreams = Upstreams::start(&["v1", "v2"]).await?;
        let envoy = setup.start(&upstreams, document.clone()).await?;
        let crowd = Crowd::new(envoy.address(), SHOP, visitors, CONNECTIONS)?;
        Ok(Self { envoy, crowd, document, _upstreams: upstreams })
    }

    /// How many visitors the crowd has.
    pub(crate) fn visitors(&self) -> u64 {
        self.crowd.len() as u64
    }

    /// New visitors of `host` without cookies.
    pub(crate) fn newcomers(&self, host: &str, visitors: usize) -> Result<Crowd> {
        Crowd::new(self.envoy.address(), host, visitors, CONNECTIONS / 2)
    }

    /// The shipped document with other fields for `v2`; they replace those of the same name.
    pub(crate) fn with_v2(&self, fields: &Value) -> Result<Value> {
        let mut document = self.document.clone();
        let v2 = document.pointer_mut("/rollouts/shop/versions/v2").and_then(Value::as_object_mut);
        let fields = fields.as_object().context("fields are an object")?;
        v2.context("the shipped document has no version v2")?.extend(fields.clone());
        Ok(document)
    }

    /// That document with a second rollout, for the blog.
    pub(crate) fn with_blog(&self, shop_v2: &Value, blog_weight: &Value) -> Result<Value> {
        let mut document = self.with_v2(shop_v2)?;
        document["rollouts"]["blog"] = json!({
            "match": [{"hosts": [BLOG]}],
            "stable": "v1",
            "versions": {"v1": {"cluster": "v1"}, "v2": {"cluster": "v2", "weight": blog_weight}},
        });
        Ok(document)
    }

    /// Back to the shipped document.
    pub(crate) async fn reset(&mut self) -> Result<()> {
        self.envoy.push(self.document.clone()).await
    }

    /// What a person can do with a site that stays open.
    pub(crate) fn how_to_try(&self) -> String {
        let (url, admin) = (self.envoy.address(), self.envoy.admin_address());
        let file = self.envoy.rules_file();
        let folder = quoted(file.parent().unwrap_or(&file));
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "Envoy goes on until Ctrl-C, with v2 at a weight of 10.\n\
             \x20 site   http://{url}/\n\
             \x20 admin  http://{admin}/\n\
             Try:\n\
             \x20 curl http://{url}/                         # a new visitor each time\n\
             \x20 curl -c jar -b jar http://{url}/           # one visitor who keeps cookies\n\
             \x20 curl -H 'x-canary: v2' http://{url}/       # override by header\n\
             \x20 curl 'http://{url}/?canary=v2'             # override by query\n\
             \x20 curl -b canary-override=v2 http://{url}/   # override by cookie\n\
             \x20 curl 'http://{admin}/stats/prometheus?filter=wasmcustom'\n\
             \x20 cd {folder} && sed 's/\"weight\":10/\"weight\":50/' {name} > new && mv new {name}   # ramp\n"
        )
    }
}

/// Enough for visitors to reach every worker over many connections.
const CONNECTIONS: usize = 16;
