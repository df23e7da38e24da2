//! Where VMs come from.

use std::cell::RefCell;
use std::rc::Rc;

use crate::builder::ProxyBuilder;
use crate::death::Death;
use crate::module::Module;
use crate::plugin::Plugin;
use crate::profile::Profile;
use crate::proxy::Rejected;
use crate::settings::Settings;
use crate::shared::SharedHandle;
use crate::vm::{Birth, Vm, VmRef};
use crate::worker::Thread;

pub(crate) struct Nursery {
    pub(crate) settings: Rc<Settings>,
    pub(crate) shared: SharedHandle,
    module: Module,
    plugin: Plugin,
    vms_born: u64,
}

/// Keeps the seeds of VMs apart: 2^64 divided by the golden ratio.
const SEED_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Nursery {
    pub(crate) fn new(builder: ProxyBuilder, shared: SharedHandle) -> Self {
        let ProxyBuilder { module, plugin, settings, .. } = builder;
        Self { settings: Rc::new(settings), shared, module, plugin, vms_born: 0 }
    }

    pub(crate) fn profile(&self) -> Profile {
        self.settings.profile
    }

    pub(crate) fn plugin(&self, configuration: &[u8]) -> Rc<Plugin> {
        Rc::new(Plugin { configuration: configuration.to_vec(), ..self.plugin.clone() })
    }

    pub(crate) fn try_in_canary(&mut self, plugin: &Rc<Plugin>) -> Result<(), Rejected> {
        let mut canary = Vm::start(self.birth("canary"))?;
        match canary.configure("", plugin) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Rejected::Refused),
            Err(death) => {
                canary.explain_death(plugin, &[]);
                Err(Rejected::Died(canary.death().cloned().unwrap_or(death)))
            }
        }
    }

    pub(crate) fn thread(&mut self, name: &str) -> Result<Rc<Thread>, Death> {
        let vm = self.vm(name)?;
        Ok(Thread::new(vm, Rc::clone(&self.shared), self.settings.seed.wrapping_add(self.vms_born)))
    }

    pub(crate) fn vm(&mut self, name: &str) -> Result<VmRef, Death> {
        Vm::start(self.birth(name)).map(|vm| Rc::new(RefCell::new(vm)))
    }

    /// Gives back the module before.
    pub(crate) fn replace_module(&mut self, module: &Module) -> Module {
        std::mem::replace(&mut self.module, module.clone())
    }

    fn birth(&mut self, name: &str) -> Birth {
        let sequence = if self.settings.same_entropy { 0 } else { self.vms_born };
        self.vms_born += 1;
        Birth {
            name: name.into(),
            module: self.module.clone(),
            settings: Rc::clone(&self.settings),
            shared: Rc::clone(&self.shared),
            entropy_seed: self.settings.seed.wrapping_add(sequence.wrapping_mul(SEED_STEP)),
        }
    }
}
