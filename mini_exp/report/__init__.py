"""Tables, figures and pages, from what the steps saved."""
