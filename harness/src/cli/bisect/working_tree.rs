//! The working tree of a bisect, brought back however the bisect ends.

use cpuid_fidelity::bisect::State;
use cpuid_fidelity::bisect::git::Repo;

/// A working tree with a `git bisect` under way; dropping it ends that, and brings back what was checked out before.
pub struct WorkingTree<'a> {
    repo: &'a Repo,
    state: &'a State,
    reset: bool,
}

impl<'a> WorkingTree<'a> {
    /// Starts a `git bisect`, after one that was killed is ended.
    ///
    /// # Errors
    /// Somebody else bisects there, the tree has changes, or git fails.
    pub fn start(repo: &'a Repo, state: &'a State) -> anyhow::Result<WorkingTree<'a>> {
        let place = repo.top.display();
        if let Some(stamp) = repo.bisecting()? {
            anyhow::ensure!(
                state.running().as_ref() == Some(&stamp),
                "a bisect is under way in {place}; `git bisect reset` ends it"
            );
            note!("a bisect was killed in {place}; what was checked out before it is brought back");
            repo.reset()?;
            state.mark(None)?;
        }
        let changes = repo.changes()?;
        anyhow::ensure!(
            changes.is_empty(),
            "local changes in {place}, which is left as it is; commit or stash them first: {}",
            changes.join(", ")
        );
        repo.start()?;
        let tree = WorkingTree {
            repo,
            state,
            reset: false,
        };
        state.mark(repo.bisecting()?.as_deref())?;
        Ok(tree)
    }

    /// Ends the `git bisect`.
    ///
    /// # Errors
    /// Git fails.
    pub fn reset(mut self) -> anyhow::Result<()> {
        self.reset = true;
        self.repo.reset()?;
        Ok(self.state.mark(None)?)
    }
}

impl Drop for WorkingTree<'_> {
    fn drop(&mut self) {
        if !self.reset {
            let _ = self.repo.reset();
            let _ = self.state.mark(None);
        }
    }
}
