"""How an exercise is judged: answers, cases, mistakes, verdicts, and what has passed."""
