//! What the stack promises: servers that are ready, obey, and leave nothing behind.

#[cfg(test)]
mod printer;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod servers;
