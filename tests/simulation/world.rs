//! Virtual time: the queue of what will happen, and the way of each happening to its client.

use std::collections::{BTreeMap, VecDeque};

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Event, GateQuery};

use crate::brain::{self, Maker};
use crate::browser;
use crate::client::{Client, What};
use crate::judge::{Judge, Violation};
use crate::network::Network;
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::view::Input;

/// Inputs for each client at one moment after which one is said to spin.
const SPINS: usize = 5_000;

/// What a run does besides running.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Judges the first client by every invariant.
    pub(crate) judge: bool,
    /// Keeps every input of the first client.
    pub(crate) record: bool,
    /// Prints the first client's story.
    pub(crate) story: bool,
}

/// See the module.
pub(crate) struct World {
    pub(crate) t: u64,
    pub(crate) script: Script,
    pub(crate) network: Network,
    pub(crate) clients: Vec<Client>,
    pub(crate) violation: Option<Violation>,
    pub(crate) viable: bool,
    pub(crate) healed_at: Option<u64>,
    /// What of the script is still to come.
    acts: VecDeque<(u64, Act)>,
    /// Swaps inputs of one moment that are about different peers (D3), and how many it swapped.
    pub(crate) swaps: Option<(Rng, u64)>,
    queue: BTreeMap<(u64, u64), (usize, What)>,
    queued: u64,
    same_moment: usize,
}

impl World {
    pub(crate) fn new(script: &Script, options: Options) -> Self {
        Self::with(script, options, brain::manager)
    }

    /// With clients that are no managers, or managers of another configuration.
    pub(crate) fn with(script: &Script, options: Options, make: Maker) -> Self {
        let mut rng = Rng::new(script.seed);
        let mut clients: Vec<Client> = (0..script.clients)
            .map(|_| Client::new(script, &mut rng, make))
            .collect();
        if let Some(first) = clients.first_mut() {
            if let Some(manager) = first.brain.manager()
                && (options.judge || options.story)
            {
                first.judge = Some(Judge::new(manager, &first.config, options));
            }
            if options.record {
                first.log.steps = Some(Vec::new());
            }
        }
        let mut acts = script.acts.clone();
        acts.sort_by_key(|(t, _)| *t);
        Self {
            t: 0,
            network: Network::new(script.network.clone()),
            clients,
            violation: None,
            viable: script.viable(),
            healed_at: None,
            acts: acts.into(),
            swaps: None,
            queue: BTreeMap::new(),
            queued: 0,
            same_moment: 0,
            script: script.clone(),
        }
    }

    /// Runs the whole script.
    pub(crate) fn run(&mut self) {
        self.run_until(self.script.horizon_ms);
        self.end();
    }

    /// Runs what is due until then.
    pub(crate) fn run_until(&mut self, t: u64) {
        loop {
            let act_at = self.acts.front().map(|(t, _)| *t);
            let next_at = self.queue.keys().next().map(|(t, _)| *t);
            let (Some(at), true) = (
                [act_at, next_at].into_iter().flatten().min(),
                self.violation.is_none(),
            ) else {
                break;
            };
            if at > t {
                break;
            }
            self.same_moment = if at > self.t { 0 } else { self.same_moment + 1 };
            self.t = self.t.max(at);
            if self.same_moment > SPINS * self.clients.len() {
                self.violation = Some(Violation::new("L4", self.t, "it spins without end"));
                break;
            }
            if act_at == Some(at) {
                let (_, act) = self.acts.pop_front().expect("it was there");
                self.act(&act);
                for client in &mut self.clients {
                    client.look(&self.network, self.t);
                }
            } else {
                let (client, what) = self.next_in_line();
                self.happen(client, what);
                self.clients[client].look(&self.network, self.t);
            }
        }
        self.t = t;
    }

    /// What happens next; at times what comes after it at the same moment, if that is about others.
    fn next_in_line(&mut self) -> (usize, What) {
        let (key, mut first) = self.queue.pop_first().expect("it is not empty");
        let Some((mut rng, mut swapped)) = self.swaps.take() else {
            return first;
        };
        if let (_, What::Tell(Event::Answered { entries, .. })) = &mut first
            && entries.len() > 1
        {
            rng.shuffle(entries);
            swapped += 1;
        }
        let next = self.queue.first_key_value();
        let free = next.is_some_and(|((t, _), second)| *t == key.0 && self.apart(&first, second));
        if free && rng.per_mille(500) {
            self.swaps = Some((rng, swapped + 1));
            let (_, second) = self.queue.pop_first().expect("it was looked at");
            self.queue.insert(key, first);
            return second;
        }
        self.swaps = Some((rng, swapped));
        first
    }

    /// Whether two inputs are for one client and about different peers.
    fn apart(&self, first: &(usize, What), second: &(usize, What)) -> bool {
        let ((c, What::Tell(one)), (d, What::Tell(other))) = (first, second) else {
            return false;
        };
        let tells = |event: &Event| match event {
            Event::Discovered { introducer, .. } => *introducer,
            _ => None,
        };
        let names = |event: &Event, peer: PeerId| match event {
            Event::Answered { entries, .. } => entries.iter().any(|said| said.peer == peer),
            _ => false,
        };
        let (Some(one_is), Some(other_is)) = (self.whose(*c, one), self.whose(*c, other)) else {
            return false;
        };
        // Who tells is touched by the end of what is told, and not by the order in which.
        let both_answer = matches!(
            (one, other),
            (Event::Answered { .. }, Event::Answered { .. })
        );
        c == d
            && one_is != other_is
            && tells(one) != Some(other_is)
            && tells(other) != Some(one_is)
            && !names(one, other_is)
            && !names(other, one_is)
            && !both_answer
    }

    /// Whom an input is about.
    fn whose(&self, c: usize, event: &Event) -> Option<PeerId> {
        match event {
            Event::Discovered { peer, .. }
            | Event::Answered { peer, .. }
            | Event::Connected { peer, .. }
            | Event::Report { peer, .. } => Some(*peer),
            Event::Identified { conn, .. }
            | Event::Metadata { conn, .. }
            | Event::Pong { conn, .. }
            | Event::Heard { conn, .. }
            | Event::Doubt { conn }
            | Event::PingFailed { conn, .. } => {
                let link = self.clients[c].links.get(conn)?;
                Some(self.network.ids[link.place])
            }
            _ => None,
        }
    }

    fn end(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for c in 0..self.clients.len() {
            let mut truth = self.truth(c);
            truth.good = self.network.good();
            let client = &mut self.clients[c];
            if let Some(judge) = &mut client.judge {
                self.violation = judge.end(&*client.brain, &client.config, &truth);
            }
        }
    }

    pub(crate) fn after(&mut self, client: usize, ms: u64, what: What) {
        self.at(client, self.t + ms, what);
    }

    pub(crate) fn at(&mut self, client: usize, t: u64, what: What) {
        self.queued += 1;
        self.queue.insert((t, self.queued), (client, what));
    }

    /// Something reaches a client, or waits until it wakes.
    pub(crate) fn happen(&mut self, c: usize, what: What) {
        let client = &mut self.clients[c];
        if !client.environment.awake() {
            if !matches!(what, What::Timer) {
                client.deferred.push(what);
            }
            return;
        }
        match what {
            What::Timer => {
                if client.armed == Some(self.t) {
                    client.armed = None;
                    self.tell(c, Event::Tick);
                }
            }
            What::Looks => {
                self.look(c);
            }
            What::Tell(event) => self.tell(c, event),
            What::Leaves(dial) => self.leaves(c, dial),
            What::Lands(dial, answer) => self.lands(c, dial, answer),
            What::GivesUp(dial) => self.gives_up(c, dial),
            What::Says(conn, event) => self.says(c, conn, event),
            What::Drained(conn) => self.closes(c, conn),
            What::Breaks(conn, cause) => self.breaks(c, conn, cause),
            What::BreaksIfCut(conn) => {
                if !self.clients[c].environment.network {
                    self.breaks(c, conn, lightkeeper::manager::CloseCause::Broken);
                }
            }
            What::Works => self.works(c),
            What::Answers(conn, event) => self.answered(c, conn, event),
            What::Pinged(conn, ping, event) => self.pinged(c, conn, ping, event),
        }
    }

    /// The shell looks at the clocks, as it does before every input: regularly, but for what befell the machine.
    fn look(&mut self, c: usize) {
        let client = &mut self.clients[c];
        let now = client.environment.time(self.t);
        let Some(looked) = client.looked.take_if(|_| client.environment.awake()) else {
            return;
        };
        let mut manager = client.brain.manager().into_iter();
        if manager.any(|manager| manager.has_slept(looked, now)) {
            self.tell(c, Event::Woke);
        }
    }

    /// Gives the manager an input, and carries out what it orders.
    pub(crate) fn tell(&mut self, c: usize, event: Event) {
        self.look(c);
        let time = self.clients[c].environment.time(self.t);
        let client = &mut self.clients[c];
        if let (Some(judge), Some(manager)) = (&mut client.judge, client.brain.manager()) {
            judge.look(manager, &event);
        }
        match &event {
            Event::Closed { conn, .. } => {
                client.untold.remove(conn);
            }
            Event::SetNeed { requirement, need } => {
                if let Some(old) = client.needs.get_mut(usize::from(requirement.0)) {
                    *old = *need;
                }
            }
            _ => {}
        }
        client.brain.handle(time, event.clone());
        let mut commands = Vec::new();
        while let Some(command) = client.brain.poll() {
            commands.push(command);
        }
        self.witness(c, &Input::Event(event), &commands);
        for command in commands {
            self.obey(c, command);
        }
        self.arm(c);
    }

    /// Asks the gate.
    pub(crate) fn ask(&mut self, c: usize, query: GateQuery) -> bool {
        let time = self.clients[c].environment.time(self.t);
        let client = &mut self.clients[c];
        if let (Some(judge), Some(manager)) = (&mut client.judge, client.brain.manager()) {
            judge.look_at_gate(manager, &query);
        }
        let verdict = client.brain.gate(time, query.clone());
        self.witness(c, &Input::Gate(query, verdict), &[]);
        self.arm(c);
        verdict.is_ok()
    }

    fn witness(&mut self, c: usize, input: &Input, commands: &[Command]) {
        let time = self.clients[c].environment.time(self.t);
        self.clients[c].note(self.t, time, input, commands);
        if self.violation.is_some() || self.clients[c].judge.is_none() {
            return;
        }
        let truth = self.truth(c);
        let client = &mut self.clients[c];
        if let Some(judge) = &mut client.judge {
            let brain = &*client.brain;
            self.violation = judge.observe(brain, &client.config, &truth, time, input, commands);
        }
    }

    /// Sets the one timer that the shell has.
    pub(crate) fn arm(&mut self, c: usize) {
        let client = &mut self.clients[c];
        let Some(due) = client.brain.next_deadline() else {
            client.armed = None;
            return;
        };
        let due = client.environment.when(due).max(self.t);
        let at = browser::timer_fires(due, client.environment.hidden_since, client.phase);
        if client.armed != Some(at) {
            client.armed = Some(at);
            self.at(c, at, What::Timer);
        }
    }
}
