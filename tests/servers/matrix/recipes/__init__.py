"""The servers of the matrix, one small file each: `SERVER` says what it is and starts it."""
