//! What the user and the environment steer: limits, modes, guards, rounds.
