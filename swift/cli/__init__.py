"""The command line: argv to the right verb. Imports a verb, and all that is heavy, only when it runs."""
