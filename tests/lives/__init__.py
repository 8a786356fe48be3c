"""Workers' whole lives on fakes, with a clock of their own, and what must hold whatever befalls."""
