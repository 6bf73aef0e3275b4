"""How long reconstructions take: any number of patients, any recording unit, any print."""
