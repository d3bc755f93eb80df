mod notes;
