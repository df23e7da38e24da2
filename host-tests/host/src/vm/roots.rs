//! Root contexts of a VM: configuring them, serving streams with the newest, ending those that nothing needs any more.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::state::{Context, Root};
use super::{Called, Vm};
use crate::death::Death;
use crate::plugin::Plugin;

impl Vm {
    /// Lets the plugin serve a listener's new streams: with its root if one lives, else with a new one. Returns whether
    /// the guest took the configuration; where it did not, the listener has no filter in this VM.
    pub(crate) fn configure(&mut self, listener: &str, plugin: &Rc<Plugin>) -> Result<bool, Death> {
        let root = match self.root_of(plugin) {
            Some(root) => Some(root),
            None => self.new_root(plugin)?,
        };
        match root {
            Some(root) => self.serving.insert(listener.to_owned(), root),
            None => self.serving.remove(listener),
        };
        self.end_unused_roots()?;
        Ok(root.is_some())
    }

    /// The root that takes the listener's new streams.
    pub(crate) fn serving(&self, listener: &str) -> Option<u32> {
        self.serving.get(listener).copied()
    }

    /// The ids of all living roots.
    pub(crate) fn roots(&self) -> Vec<u32> {
        let is_root = |context: &Context| matches!(context, Context::Root(_));
        self.look().contexts.iter().filter(|(_, context)| is_root(context)).map(|(id, _)| *id).collect()
    }

    /// Ends every root that serves no listener and has no stream.
    pub(crate) fn end_unused_roots(&mut self) -> Result<(), Death> {
        let mut used: BTreeSet<u32> = self.serving.values().copied().collect();
        used.extend(self.look().contexts.values().filter_map(|context| match context {
            Context::Stream(stream) => Some(stream.root),
            Context::Root(_) => None,
        }));
        for root in self.roots().into_iter().filter(|root| !used.contains(root)) {
            self.end_root(root)?;
        }
        Ok(())
    }

    /// When the next timer fires.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        if self.death().is_some() { None } else { self.look().timers.values().map(|timer| timer.due).min() }
    }

    /// Fires the timers that are due. A timer whose root is gone only goes round, as in Envoy.
    pub(crate) fn tick(&mut self, now: Duration) -> Result<(), Death> {
        let due: Vec<u32> =
            self.look().timers.iter().filter(|(_, timer)| timer.due <= now).map(|(root, _)| *root).collect();
        for root in due {
            if let Some(timer) = self.state().timers.get_mut(&root) {
                timer.due = now + timer.period;
            }
            if self.look().contexts.contains_key(&root) {
                self.call(root, "proxy_on_tick", &[root])?;
                self.end_unused_roots()?;
            }
        }
        Ok(())
    }

    /// Runs what every new root sees. `None` means that the guest refused.
    fn new_root(&mut self, plugin: &Rc<Plugin>) -> Called {
        let id = self.new_context_id();
        let root = Root { plugin: Rc::clone(plugin), configurable: true, pending_done: false, done: false };
        self.state().contexts.insert(id, Context::Root(root));
        self.call(id, "proxy_on_context_create", &[id, 0])?;
        self.set_configurable(id, false);
        let started = self.call(id, "proxy_on_vm_start", &[id, 0])?;
        if started == Some(0) {
            return Ok(None);
        }
        self.set_configurable(id, true);
        let size = u32::try_from(plugin.configuration.len()).unwrap_or(u32::MAX);
        let configured = self.call(id, "proxy_on_configure", &[id, size])?;
        self.set_configurable(id, false);
        Ok(if configured == Some(0) { None } else { Some(id) })
    }

    fn root_of(&self, plugin: &Plugin) -> Option<u32> {
        let is_same = |id: &u32| match self.look().contexts.get(id) {
            Some(Context::Root(root)) => *root.plugin == *plugin && !root.pending_done,
            _ => false,
        };
        self.roots().into_iter().find(is_same)
    }

    fn set_configurable(&mut self, id: u32, configurable: bool) {
        if let Some(Context::Root(root)) = self.state().contexts.get_mut(&id) {
            root.configurable = configurable;
        }
    }

    /// Asks the root whether it is done; deletes it if so, else once it has said `proxy_done`.
    fn end_root(&mut self, id: u32) -> Result<(), Death> {
        let (asked, done) = match self.look().contexts.get(&id) {
            Some(Context::Root(root)) => (root.pending_done, root.done),
            _ => return Ok(()),
        };
        let done = if asked { done } else { self.call(id, "proxy_on_done", &[id])? != Some(0) };
        if done {
            self.call(id, "proxy_on_delete", &[id])?;
            self.state().contexts.remove(&id);
        } else if let Some(Context::Root(root)) = self.state().contexts.get_mut(&id) {
            root.pending_done = true;
        }
        Ok(())
    }
}
