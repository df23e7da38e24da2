//! Every resource is valid in every release that has its kind.

use std::collections::BTreeMap;

use serin_kubernetes::{Catalogue, Resource, SETS, Scope, metadata_problems, round_trip};

use crate::{all, catalogue};

/// Kinds whose definitions are not among the sets; they are namespaced.
const WITHOUT_DEFINITION: [(&str, &str); 6] = [
    ("argoproj.io", "AnalysisTemplate"),
    ("argoproj.io", "Rollout"),
    ("flagger.app", "Canary"),
    ("flagger.app", "MetricTemplate"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("rollouts.kruise.io", "Rollout"),
];

#[test]
fn every_resource_is_valid_in_every_release_that_has_its_kind() {
    let mut catalogue = catalogue();
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::new());
    for resource in all() {
        let sets = SETS.iter().filter(|set| set.has_group(resource.group()));
        for set in sets {
            *counts.entry(set.name).or_insert(0) += 1;
        }
        wrong.extend(problems(&mut catalogue, &resource));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(counts.len(), SETS.len(), "there is a set that nothing is held against: {counts:?}");
}

/// All that is wrong with a resource, in each set that has its group; without a catalogue what can be told by itself.
pub(crate) fn problems(catalogue: &mut Option<Catalogue>, resource: &Resource) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut is_known = WITHOUT_DEFINITION.contains(&(resource.group(), resource.kind()));
    if is_known {
        let problems = metadata_problems(&resource.value, Scope::Namespaced).unwrap();
        wrong.extend(problems.iter().map(|problem| format!("{resource}: {problem}")));
    }
    if let Some(result) = round_trip(resource) {
        is_known = true;
        wrong.extend(result.err().map(|error| format!("{resource}: {error:#}")));
    }
    for set in SETS.iter().filter(|set| set.has_group(resource.group())) {
        is_known = true;
        let Some(catalogue) = catalogue else { break };
        let kind = catalogue.kind(set, resource).unwrap();
        let is_lacking = set.lacks.contains(&resource.kind());
        assert_eq!(kind.is_none(), is_lacking, "{} lacks {}? {resource}", set.name, resource.kind());
        let problems = kind.map(|kind| kind.problems(&resource.value)).unwrap_or_default();
        wrong.extend(problems.iter().map(|problem| format!("{resource} in {}: {problem}", set.name)));
    }
    if !is_known {
        wrong.push(format!("{resource}: {} is neither defined nor among those without definition", resource.kind()));
    }
    wrong
}
