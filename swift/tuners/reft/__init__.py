"""ReFT: interventions on hidden states."""
