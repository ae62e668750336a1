//! Tests of the engine through its public interface, one module a story.

mod doubles;
mod driver;

mod tutorial;
