//! Root contexts of a VM: configuring them, serving streams with the newest, ending those that nothing needs any more.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::state::{Context, Root};
use super::{Called, Vm, word};
use crate::catalog::Callback;
use crate::death::Death;
use crate::lapse::Lapse;
use crate::plugin::Plugin;
use crate::settings::{Delivery, FailurePolicy};

/// How long Envoy waits before it starts a dead VM again; a share of it more, by chance.
const BACK_OFF: Duration = Duration::from_secs(1);

impl Vm {
    /// Lets the plugin serve a listener's new streams: with its root if one lives, else with a new one. Returns whether
    /// the guest took the configuration; where it did not, the listener has no filter in this VM.
    pub(crate) fn configure(&mut self, listener: &str, plugin: &Rc<Plugin>) -> Result<bool, Death> {
        self.served = 0;
        let root = match self.root_of(plugin) {
            Some(root) => Some(root),
            None => self.new_root(plugin)?,
        };
        let before = match root {
            Some(root) => self.serving.insert(listener.to_owned(), (root, Rc::clone(plugin))),
            None => self.serving.remove(listener),
        };
        if let Some((before, _)) = before.filter(|(before, _)| root != Some(*before)) {
            self.drain(before);
        }
        self.end_unused_roots()?;
        Ok(root.is_some())
    }

    /// Takes the filter from a listener that is gone.
    pub(crate) fn remove(&mut self, listener: &str) -> Result<(), Death> {
        if let Some((root, _)) = self.serving.remove(listener) {
            self.drain(root);
        }
        self.end_unused_roots()
    }

    /// The root that takes the listener's new streams.
    pub(crate) fn serving(&self, listener: &str) -> Option<u32> {
        self.serving.get(listener).map(|(root, _)| *root)
    }

    /// The ids of all living roots.
    pub(crate) fn roots(&self) -> Vec<u32> {
        let is_root = |context: &Context| matches!(context, Context::Root(_));
        self.look().contexts.iter().filter(|(_, context)| is_root(context)).map(|(id, _)| *id).collect()
    }

    /// Ends every root that serves no listener, has no stream and is not kept by one that drains.
    pub(crate) fn end_unused_roots(&mut self) -> Result<(), Death> {
        let serving = |root: u32| self.serving.values().any(|(serving, _)| *serving == root);
        if self.roots().into_iter().all(serving) {
            return Ok(());
        }
        let now = self.look().shared.borrow().now;
        let mut used: BTreeSet<u32> = self.serving.values().map(|(root, _)| *root).collect();
        used.extend(self.look().contexts.iter().filter_map(|(id, context)| match context {
            Context::Stream(stream) => Some(stream.root),
            Context::Root(root) => root.kept_until.is_some_and(|until| now < until).then_some(*id),
        }));
        for root in self.roots().into_iter().filter(|root| !used.contains(root)) {
            self.end_root(root)?;
        }
        Ok(())
    }

    /// When the next timer fires, or a drained root can end, or a call-out runs out of time.
    pub(crate) fn next_event(&self) -> Option<Duration> {
        if self.death().is_some() {
            return None;
        }
        let state = self.look();
        let timers = state.timers.values().map(|timer| timer.due);
        let drains = state.contexts.values().filter_map(|context| match context {
            Context::Root(root) if !root.pending_done => root.kept_until,
            _ => None,
        });
        timers.chain(drains).chain(state.call_outs.next_due()).min()
    }

    /// Does what is due. A timer whose root is gone only goes round, as in Envoy.
    pub(crate) fn pass_time(&mut self, now: Duration) -> Result<(), Death> {
        // Where requests are answered as Envoy answers them, a dead VM only waits for the next of them.
        if self.death().is_some() && self.look().settings.failure_policy.is_some() {
            return Ok(());
        }
        self.expire_call_outs(now)?;
        for context in self.state().contexts.values_mut() {
            if let Context::Root(root) = context {
                root.kept_until = root.kept_until.filter(|until| now < *until);
            }
        }
        self.end_unused_roots()?;
        self.tick(now)
    }

    /// Ends the root that said it is done.
    pub(super) fn delete_root(&mut self, id: u32) -> Result<(), Death> {
        self.call(id, Callback::Delete, [id, 0, 0, 0, 0])?;
        self.state().contexts.remove(&id);
        self.state().call_outs.pending.retain(|_, call| call.root != id);
        Ok(())
    }

    /// Reports the roots that nobody needs and that never said that they are done.
    pub(crate) fn find_leaks(&mut self) {
        let mut leaks = Vec::new();
        for (id, context) in &mut self.state().contexts {
            if let Context::Root(root) = context
                && root.pending_done
                && !root.is_told
            {
                root.is_told = true;
                leaks.push(*id);
            }
        }
        for id in leaks {
            self.look().find(Lapse::LeakedContext, || format!("root {id} was never done"));
        }
    }

    fn tick(&mut self, now: Duration) -> Result<(), Death> {
        if !self.exports.has(Callback::Tick) {
            self.state().timers.clear();
            return Ok(());
        }
        let due: Vec<u32> =
            self.look().timers.iter().filter(|(_, timer)| timer.due <= now).map(|(root, _)| *root).collect();
        for root in due {
            if let Some(timer) = self.state().timers.get_mut(&root) {
                timer.due = now + timer.period;
            }
            if self.look().contexts.contains_key(&root) {
                self.call(root, Callback::Tick, [root, 0, 0, 0, 0])?;
                self.act()?;
                self.end_unused_roots()?;
            }
        }
        Ok(())
    }

    /// Runs what every new root sees. `None` means that the guest refused.
    fn new_root(&mut self, plugin: &Rc<Plugin>) -> Called {
        let id = self.new_context_id();
        let root = Root {
            plugin: Rc::clone(plugin),
            configurable: true,
            pending_done: false,
            is_told: false,
            kept_until: None,
        };
        self.state().contexts.insert(id, Context::Root(root));
        self.call(id, Callback::ContextCreate, [id, 0, 0, 0, 0])?;
        self.act()?;
        self.set_configurable(id, false);
        let size = word(self.look().settings.vm_configuration.len());
        let started = self.call(id, Callback::VmStart, [id, size, 0, 0, 0])?;
        self.act()?;
        if started == Some(0) {
            return Ok(None);
        }
        self.set_configurable(id, true);
        let configured = self.call(id, Callback::Configure, [id, word(plugin.configuration.len()), 0, 0, 0])?;
        self.act()?;
        self.set_configurable(id, false);
        Ok(if configured == Some(0) { None } else { Some(id) })
    }

    /// A new VM in the place of a dead one, with what it served, if the policy wants one and the back-off is over; none if it
    /// does not take its configurations.
    pub(crate) fn reborn(&mut self) -> Option<Self> {
        if self.death().is_none() || self.look().settings.failure_policy != Some(FailurePolicy::Reload) {
            return None;
        }
        let now = self.look().shared.borrow().now;
        let wait = BACK_OFF.mul_f64(1.0 + self.state().entropy.f64() / 2.0);
        if now.saturating_sub(self.last_load) < wait {
            return None;
        }
        self.last_load = now;
        self.birth.entropy_seed = self.birth.entropy_seed.wrapping_add(1);
        let mut new = Self::start(self.birth.clone()).ok()?;
        for (listener, (_, plugin)) in &self.serving {
            new.configure(listener, plugin).ok().filter(|taken| *taken)?;
        }
        (new.reloads, new.usage) = (self.reloads + 1, self.usage.clone());
        new.state().faults.clone_from(&self.look().faults);
        Some(new)
    }

    fn root_of(&self, plugin: &Plugin) -> Option<u32> {
        let is_same = |id: &u32| match self.look().contexts.get(id) {
            Some(Context::Root(root)) => *root.plugin == *plugin && !root.pending_done,
            _ => false,
        };
        self.roots().into_iter().find(is_same)
    }

    fn drain(&mut self, id: u32) {
        let Delivery::Lds(drain) = self.look().settings.delivery else { return };
        let until = self.look().shared.borrow().now + drain;
        if let Some(Context::Root(root)) = self.state().contexts.get_mut(&id) {
            root.kept_until = Some(until);
        }
    }

    fn set_configurable(&mut self, id: u32, configurable: bool) {
        if let Some(Context::Root(root)) = self.state().contexts.get_mut(&id) {
            root.configurable = configurable;
        }
    }

    /// Asks the root whether it is done; deletes it if so, else once it has said `proxy_done`.
    fn end_root(&mut self, id: u32) -> Result<(), Death> {
        match self.look().contexts.get(&id) {
            Some(Context::Root(root)) if !root.pending_done => {}
            _ => return Ok(()),
        }
        let done = self.call(id, Callback::Done, [id, 0, 0, 0, 0])? != Some(0);
        if done {
            self.delete_root(id)?;
        } else if let Some(Context::Root(root)) = self.state().contexts.get_mut(&id) {
            root.pending_done = true;
        }
        self.act()
    }
}
