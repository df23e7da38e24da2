//! One configuration of the plugin: the document read, or what stands in for one that could not be.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;

use serin_core::{
    Current, Guard, Identity, Inbound, OutputHeaders, Parsed, Rollout, Rules, Surroundings, Time, Upstream, VersionId,
};

use crate::guard::Counter;
use crate::metrics::{self, Counted, Counts};
use crate::schedule::Shown;
use crate::vm::{self, InForce};
use crate::{contexts, host};

/// Counters are flushed and the clock is looked at once a second.
const TICK_MILLISECONDS: u32 = 1_000;
/// Lines of errors that one document may put into the log of one VM.
const MOST_LOGGED: usize = 100;

/// A root context: lives from one configuration to the end of its last stream.
pub(crate) struct Root {
    id: u32,
    plugin: String,
    configured: Rc<Configured>,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        let inert = Mode::Inert { outputs: OutputHeaders::default(), inbound: Inbound::Skip };
        Self { id, plugin: String::new(), configured: Rc::new(Configured::new(inert)) }
    }

    /// What its streams work by.
    pub(crate) fn configured(&self) -> &Rc<Configured> {
        &self.configured
    }

    /// Reads the document that the host holds ready.
    pub(crate) fn configure(&mut self) {
        self.plugin = host::plugin_name().unwrap_or_default();
        let mode = self.read(&host::configuration(Rules::MOST_BYTES + 1));
        self.configured = Rc::new(Configured::new(mode));
        self.configured.begin(&self.plugin, host::set_tick_period(TICK_MILLISECONDS));
    }

    /// Does what is to be done once a second.
    pub(crate) fn tick(&mut self) {
        self.configured.look_at_the_clock();
        self.configured.try_cookies();
        self.configured.give_up_late_answers();
        if self.configured.knows_the_time() {
            self.configured.sync((&self.plugin, self.id));
            self.configured.show_schedules((&self.plugin, self.id));
        }
        self.configured.flush();
    }

    /// What the document, and what was in force before it, make of this root.
    fn read(&self, document: &[u8]) -> Mode {
        // Another root may carry this very document already: a sidecar's inbound and outbound listeners do.
        let fingerprint = vm::fingerprint(document);
        let same = vm::same_document(&self.plugin, self.id, fingerprint);
        let last_good = same.clone().or_else(|| vm::last_good(&self.plugin, self.id));
        let rules_before = last_good.as_ref().map(|in_force| &*in_force.rules);
        let parsed = Rules::parse(document, &Surroundings { last_good: rules_before, env: &host::env });
        self.report(&parsed);
        let adopted = parsed.rules.map(|rules| {
            // What a broken rollout kept depends on the rules before as well.
            let before = last_good.as_ref().filter(|_| !parsed.errors.is_empty());
            let fingerprint = before.map_or(fingerprint, |before| vm::chained(fingerprint, before));
            InForce { rules: Rc::new(rules), fingerprint }
        });
        let Some(in_force) = same.or(adopted).or(last_good) else {
            return Mode::Inert { outputs: parsed.outputs, inbound: parsed.inbound };
        };
        let rules = Rc::clone(&in_force.rules);
        vm::put_in_force(&self.plugin, self.id, fingerprint, in_force);
        Mode::Active(rules)
    }

    /// One line an error or warning, and the two metrics that tell whether the document was sound.
    fn report(&self, parsed: &Parsed) {
        for (is_mistake, line) in parsed.lines(MOST_LOGGED) {
            if is_mistake { host::log_error(&line) } else { host::log_warning(&line) }
        }
        metrics::report_configuration(&self.plugin, parsed.errors.is_empty());
    }
}

impl Drop for Root {
    /// Envoy keeps a timer running for a root that is gone, so it is stopped here.
    fn drop(&mut self) {
        if self.configured.knows_the_time() {
            self.configured.sync((&self.plugin, self.id));
        }
        self.configured.end((&self.plugin, self.id));
        self.configured.flush();
        host::set_tick_period(0);
        vm::forget(&self.plugin, self.id);
    }
}

/// What a root and its streams share.
pub(crate) struct Configured {
    pub(crate) mode: Mode,
    /// As of the last tick, so that requests need not ask for the time.
    now: Cell<Time>,
    /// Until a request has found that all is known: what the listener is, the time, by which cookies are judged, and what guards
    /// have made of the versions. Again while cookies are lost.
    unsure: Cell<bool>,
    cookies: Cell<Cookies>,
    /// Whether this is a sidecar's inbound listener and the document does not want a decision there. Known from the first request
    /// on: the listener cannot be asked for at configuration.
    skips: OnceCell<bool>,
    counts: RefCell<Counts>,
    /// What the clock and the traffic make of the rules.
    current: RefCell<Current>,
    guards: RefCell<Counter>,
    schedules: RefCell<Shown>,
    /// Whether a guard looks at how long answers take.
    times: bool,
}

/// What has become of the cookies that responses were to get. While they are lost nobody is drawn, since every further request
/// would draw anew.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Cookies {
    /// They are set.
    #[default]
    Set,
    /// The host has refused one.
    Lost,
    /// It did, but not in this second: the next who is drawn tries it.
    ToTry,
}

/// What to do with requests.
pub(crate) enum Mode {
    /// There are no rules: remove a client's copies of our headers, and nothing else.
    Inert { outputs: OutputHeaders, inbound: Inbound },
    /// Decide.
    Active(Rc<Rules>),
}

impl Configured {
    fn new(mode: Mode) -> Self {
        let none = || (Counts::default(), Counter::default(), Shown::default(), false);
        let of = |rules: &Rules| {
            let times = |rollout: &Rollout| rollout.guard().is_some_and(|guard| guard.slower_than().is_some());
            (Counts::new(rules), Counter::new(rules), Shown::new(rules), rules.rollouts().any(times))
        };
        let ((counts, guards, schedules, times), inbound) = match &mode {
            Mode::Inert { inbound, .. } => (none(), *inbound),
            Mode::Active(rules) => (of(rules), rules.inbound()),
        };
        Self {
            mode,
            now: Cell::default(),
            unsure: Cell::new(true),
            cookies: Cell::default(),
            skips: if inbound == Inbound::Skip { OnceCell::new() } else { OnceCell::from(false) },
            counts: counts.into(),
            current: RefCell::default(),
            guards: guards.into(),
            schedules: schedules.into(),
            times,
        }
    }

    /// Takes over what is known when a configuration begins. A clock that is never looked at again is none.
    fn begin(&self, plugin: &str, ticks: bool) {
        if ticks {
            self.look_at_the_clock();
        }
        if let Mode::Active(rules) = &self.mode {
            let mut current = self.current.borrow_mut();
            self.guards.borrow_mut().read(plugin, rules, &mut current);
            current.miss(rules, &vm::missing(), self.now());
        }
    }

    /// Whether this is a sidecar's inbound listener and the document does not want a decision there.
    #[inline]
    pub(crate) fn skips(&self) -> bool {
        let ask = || host::is_inbound().is_some_and(|is| *self.skips.get_or_init(|| is));
        self.skips.get().copied().unwrap_or_else(ask)
    }

    /// Whether all headers of a request are read at once.
    pub(crate) fn reads_many_headers(&self) -> bool {
        matches!(&self.mode, Mode::Active(rules) if rules.reads_many_headers())
    }

    /// Whether the decision goes into the access log.
    pub(crate) fn logs_access(&self) -> bool {
        matches!(&self.mode, Mode::Active(rules) if rules.access_log())
    }

    pub(crate) fn now(&self) -> Time {
        self.now.get()
    }

    /// Whether something is not known that this decision needs (what the listener is, the time, by which cookies are judged, or what
    /// the rollout's guard has made of its versions), or it is a draw that would be lost.
    #[inline]
    pub(crate) fn is_unsure(&self, rollout: Option<usize>, is_drawn: impl FnOnce() -> bool) -> bool {
        self.unsure.get() && self.is_unsure_of(rollout, is_drawn)
    }

    #[cold]
    fn is_unsure_of(&self, rollout: Option<usize>, is_drawn: impl FnOnce() -> bool) -> bool {
        let known = self.skips.get().is_some() && self.knows_the_time();
        let knows_guards = self.guards.borrow().is_known();
        let cookies = self.cookies.get();
        self.unsure.set(!known || !knows_guards || cookies != Cookies::Set);
        let is_guarded = || rollout.is_some_and(|rollout| self.guard(rollout).is_some());
        if !known || (!knows_guards && is_guarded()) {
            return true;
        }
        if cookies == Cookies::Set || !is_drawn() {
            return false;
        }
        self.cookies.set(Cookies::Lost);
        cookies == Cookies::Lost
    }

    /// Notes whether the host has set a response's cookies.
    pub(crate) fn note_cookies(&self, are_set: bool) {
        self.cookies.set(if are_set { Cookies::Set } else { Cookies::Lost });
        if !are_set {
            self.unsure.set(true);
            vm::tell_of_refusal();
        }
    }

    /// Has one request try whether the host sets cookies again.
    fn try_cookies(&self) {
        if self.cookies.get() == Cookies::Lost {
            self.cookies.set(Cookies::ToTry);
        }
    }

    fn knows_the_time(&self) -> bool {
        self.now() != Time::default()
    }

    /// What the clock and the traffic make of the rules.
    #[inline]
    pub(crate) fn current(&self) -> Ref<'_, Current> {
        self.current.borrow()
    }

    /// The guard of a rollout.
    pub(crate) fn guard(&self, rollout: usize) -> Option<&Guard> {
        match &self.mode {
            Mode::Inert { .. } => None,
            Mode::Active(rules) => rules.rollout(rollout)?.guard(),
        }
    }

    /// Since when what is asked of a version counts; `None` while nothing does.
    pub(crate) fn counts_since(&self, rollout: usize, version: VersionId) -> Option<Time> {
        self.current.borrow().counts_since(rollout, version)
    }

    /// Whether a request that this version was decided for tries whether its cluster is back.
    #[inline]
    pub(crate) fn tries(&self, rollout: usize, version: VersionId) -> bool {
        let tries = self.current.borrow_mut().tries(rollout, version, self.now());
        if tries {
            self.remember(rollout, version, Some(self.now()));
        }
        tries
    }

    /// Notes what a response says of a version's cluster.
    pub(crate) fn note_upstream(&self, rollout: usize, version: VersionId, upstream: Upstream, tries: bool) {
        let Mode::Active(_) = &self.mode else { return };
        let is_lost = self.current.borrow_mut().note(rollout, version, upstream, tries, self.now());
        if upstream != Upstream::Answered && self.current.borrow().is_lost(rollout, version) {
            self.remember(rollout, version, Some(self.now()));
        } else if tries && upstream == Upstream::Answered {
            self.remember(rollout, version, None);
        }
        if is_lost {
            self.counts.borrow_mut().miss(rollout, version);
        }
    }

    /// Has the next configuration know since when a version is missing.
    #[inline(never)]
    fn remember(&self, rollout: usize, version: VersionId, since: Option<Time>) {
        let Mode::Active(rules) = &self.mode else { return };
        if let Some(identity) = rules.rollout(rollout).and_then(|rollout| rollout.identity(version)) {
            vm::note_missing(identity, since);
        }
    }

    /// Counts an answer for a guard, or that none came in time.
    pub(crate) fn count_answer(&self, identity: Identity, of: (usize, VersionId), failed: bool) {
        self.guards.borrow_mut().add(identity, of, failed);
    }

    /// Counts what has been waited for too long.
    fn give_up_late_answers(self: &Rc<Self>) {
        if self.times {
            let now = host::monotonic_nanoseconds();
            contexts::each_stream(|stream| stream.give_up(self, now));
        }
    }

    fn sync(&self, root: (&str, u32)) {
        if let Mode::Active(rules) = &self.mode {
            self.guards.borrow_mut().sync(root, rules, &mut self.current.borrow_mut(), self.now());
        }
    }

    fn show_schedules(&self, root: (&str, u32)) {
        if let Mode::Active(rules) = &self.mode {
            self.schedules.borrow_mut().show(root, rules, &self.current(), self.now());
        }
    }

    /// Has nothing shown any more that only this configuration shows.
    fn end(&self, root: (&str, u32)) {
        if let Mode::Active(rules) = &self.mode {
            self.schedules.borrow().end(root, rules);
            self.guards.borrow().end(root, rules);
        }
    }

    pub(crate) fn count(&self, decided: Counted) {
        if let Mode::Active(rules) = &self.mode {
            self.counts.borrow_mut().add(decided, rules);
        }
    }

    fn look_at_the_clock(&self) {
        if let Some(now) = host::now_nanoseconds() {
            self.now.set(Time::from_unix_seconds(now / 1_000_000_000));
        }
        if let Mode::Active(rules) = &self.mode {
            self.current.borrow_mut().follow_clock(rules, self.now());
        }
    }

    fn flush(&self) {
        if let Mode::Active(rules) = &self.mode {
            self.counts.borrow_mut().flush(rules);
        }
    }
}
