//! Target `decide`: a document and a request out of the input's choices.

use serde_json::Value;
use serin_cli::Request;
use serin_core::{Rules, Surroundings, Time};

use crate::dice::Dice;
use crate::given::Given;
use crate::judge::{Judged, judge};
use crate::{draft, env, visitors};

/// The day of most cookies in the drafts, around which their schedules run.
const START: u64 = 20_778 * 86_400;

/// Requests under one document.
const MOST_REQUESTS: usize = 4;

/// Has the document decide for a few requests.
pub fn run(input: &[u8]) {
    let dice = &mut Dice::new(input);
    let document = draft::document(dice);
    let Some(site) = Site::of(document) else { return };
    for _ in 0..MOST_REQUESTS {
        let seconds =
            if dice.once_in(8) { dice.up_to(u64::MAX / 1_000_000_000) } else { START + dice.up_to(40 * 86_400) };
        let (now, bits) = (Time::from_unix_seconds(seconds), dice.bits());
        let request = draft::request(dice);
        let judged = site.judge(&request, now, bits);
        check_that_it_stays(&site, &request, now, &judged);
        check_a_higher_weight(&site, &request, now, bits, dice, &judged);
        if dice.is_empty() {
            return;
        }
    }
}

/// A document that is in force.
struct Site {
    document: Value,
    rules: Rules,
    given: Given,
    is_sound: bool,
}

impl Site {
    fn of(document: Value) -> Option<Self> {
        let text = document.to_string();
        let parsed = Rules::parse(text.as_bytes(), &Surroundings { last_good: None, env: &env });
        let mut given = Given::default();
        given.add(text.as_bytes());
        Some(Self { document, rules: parsed.rules?, given, is_sound: parsed.errors.is_empty() })
    }

    fn judge(&self, request: &Request, now: Time, bits: u64) -> Judged {
        judge(&self.rules, &self.given, request, now, bits)
    }

    /// The document's rollout of this decision.
    fn rollout(&self, judged: &Judged) -> Option<&Value> {
        Some(&self.document["rollouts"][judged.rollout.as_ref()?])
    }
}

/// The cookies that come back have the same version again, and nothing new is written.
fn check_that_it_stays(site: &Site, request: &Request, now: Time, judged: &Judged) {
    let Some(again) = visitors::again(request, &judged.cookies) else { return };
    let is_dry = site.rollout(judged).is_some_and(|rollout| rollout["dry_run"] == true);
    let is_drawn = matches!(judged.reason, Some("random" | "first"));
    let other = site.judge(&again, now, 0x5555_5555_5555_5555);
    if !is_drawn && !is_dry {
        assert_eq!(
            (&judged.rollout, &judged.version),
            (&other.rollout, &other.version),
            "{judged:?}\n{other:?}\n{again:?}\n{}",
            site.document
        );
        assert_eq!(other.cookies, [""; 0], "{judged:?}\n{other:?}\n{again:?}\n{}", site.document);
    }
}

/// A higher weight of the lowest version moves nobody out of it.
fn check_a_higher_weight(site: &Site, request: &Request, now: Time, bits: u64, dice: &mut Dice<'_>, judged: &Judged) {
    let by_slot = judged.reason == Some("slot") && judged.version.as_deref() == Some("v2");
    let Some(rollout) = site.rollout(judged).filter(|_| by_slot && site.is_sound) else { return };
    if !rollout["rules"].is_null() || !rollout["schedule"].is_null() {
        return;
    }
    let versions = rollout["versions"].as_object().expect("a sound document has versions");
    let sum: u64 = versions.values().filter_map(|version| version["weight"].as_u64()).sum();
    let more = dice.up_to(rollout["total"].as_u64().expect("each draft has a total") - sum);
    let mut document = site.document.clone();
    let name = judged.rollout.as_ref().expect("decided");
    let weight = &mut document["rollouts"][name]["versions"]["v2"]["weight"];
    *weight = (weight.as_u64().expect("who gets slots has a weight") + more).into();
    let raised = Site::of(document).filter(|site| site.is_sound).expect("still sound");
    assert_eq!(
        raised.judge(request, now, bits).version.as_deref(),
        Some("v2"),
        "{more} more\n{request:?}\n{}",
        site.document
    );
}
