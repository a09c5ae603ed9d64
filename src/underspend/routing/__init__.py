"""Which model a task needs: classes of tasks, what local outcomes say of them, and when that is certain enough."""
