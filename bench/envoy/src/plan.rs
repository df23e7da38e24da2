//! How much is measured.

use std::time::Duration;

/// How much of everything is measured. More takes longer and is surer.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether the numbers are for trying only.
    pub quick: bool,
    /// Copies of a filter in a chain.
    pub copies: u32,
    /// How CPU per request is measured.
    pub chains: Effort,
    /// The same with upstreams, where a request costs less.
    pub forwarding: Effort,
    /// What a client sees, for each number of workers.
    pub load: Load,
    /// The same for documents and route tables of all sizes.
    pub growth: Effort,
    /// How many rollouts or routes there are.
    pub sizes: Vec<u32>,
    /// How often a document or route table is pushed, to time it.
    pub pushes: u32,
    /// Numbers of workers of which memory is read.
    pub workers: Vec<u32>,
    /// Requests to a chain, and pushes after them, along which memory is read.
    pub soak: Soak,
}

/// How CPU per request is measured: in rounds, each of them with so many requests to every contestant.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds.
    pub rounds: u32,
    /// Requests to each contestant in each round.
    pub requests: u32,
}

/// How saturation and latency are measured.
#[derive(Clone, Debug)]
pub struct Load {
    /// Numbers of workers of Envoy.
    pub workers: Vec<u32>,
    /// Rounds.
    pub rounds: u32,
    /// How long all connections are kept busy in a round.
    pub saturated: Duration,
    /// How long requests come at the fixed rate in a round.
    pub paced: Duration,
}

/// The life of one process.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Requests, each of them to all copies.
    pub requests: u32,
    /// Documents.
    pub pushes: u32,
    /// How often memory is read along each of the two.
    pub readings: u32,
}

impl Plan {
    /// What the published numbers come from; some minutes.
    pub fn full() -> Self {
        Self {
            quick: false,
            copies: 20,
            chains: Effort { rounds: 25, requests: 1_000 },
            forwarding: Effort { rounds: 25, requests: 1_500 },
            load: Load {
                workers: vec![1, 2],
                rounds: 5,
                saturated: Duration::from_millis(500),
                paced: Duration::from_millis(700),
            },
            growth: Effort { rounds: 25, requests: 800 },
            sizes: vec![1, 10, 100, 1_000, 10_000],
            pushes: 5,
            workers: vec![1, 2, 4],
            soak: Soak { requests: 500_000, pushes: 1_000, readings: 10 },
        }
    }

    /// A look at everything; about a minute.
    pub fn quick() -> Self {
        let load = Load {
            rounds: 1,
            saturated: Duration::from_millis(300),
            paced: Duration::from_millis(300),
            ..Self::full().load
        };
        Self {
            quick: true,
            chains: Effort { rounds: 3, requests: 500 },
            forwarding: Effort { rounds: 3, requests: 1_000 },
            load,
            growth: Effort { rounds: 3, requests: 500 },
            pushes: 2,
            soak: Soak { requests: 25_000, pushes: 50, readings: 5 },
            ..Self::full()
        }
    }

    /// Whether everything works at all; some seconds. The numbers mean nothing.
    pub fn smoke() -> Self {
        Self {
            copies: 3,
            chains: Effort { rounds: 1, requests: 20 },
            forwarding: Effort { rounds: 1, requests: 20 },
            load: Load {
                workers: vec![1],
                rounds: 1,
                saturated: Duration::from_millis(20),
                paced: Duration::from_millis(20),
            },
            growth: Effort { rounds: 1, requests: 20 },
            sizes: vec![1, 10],
            pushes: 1,
            workers: vec![1],
            soak: Soak { requests: 40, pushes: 2, readings: 2 },
            ..Self::quick()
        }
    }
}
