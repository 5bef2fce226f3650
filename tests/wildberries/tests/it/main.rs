//! The simulator seen from outside: through its port, as a client sees it.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod boxes;
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
mod page;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod passes;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stickers;
#[cfg(test)]
mod supplies;
#[cfg(test)]
mod tariffs;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod warehouses;
#[cfg(test)]
mod wire;
