//! The simulator seen from outside: through its port, as a client sees it.

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stickers;
#[cfg(test)]
mod supplies;
#[cfg(test)]
mod tokens;
